//! What is in a program, and what runs while it is built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::artifact::Artifact;
use super::package::{self, Package};
use super::units::{Graph, Role, Unit};

/// The packages of one program.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// Those that are linked into it, each with those that it uses there. What
    /// the linker then leaves out is not known here.
    pub(crate) linked: BTreeMap<Package, BTreeSet<Package>>,
    /// The program's own.
    pub(crate) root: Option<Package>,
    /// All that are needed to build it, with what cargo runs of them.
    pub(crate) needed: BTreeMap<Package, Needed>,
}

/// What is known of a package.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needed {
    /// Where its source is.
    pub(crate) folder: PathBuf,
    /// Whether a build script of it runs.
    pub(crate) script: bool,
    /// Whether it is a macro, which runs in the compiler.
    pub(crate) macros: bool,
    /// Whether a package of ours asks for it.
    pub(crate) direct: bool,
    /// The direct dependencies that ask for it, or that ask for what does.
    pub(crate) by: BTreeSet<String>,
}

impl Parts {
    /// The parts of a program, from the graph of the command that builds it.
    ///
    /// # Errors
    ///
    /// Where cargo does not say what it would build.
    pub(crate) fn of(artifact: &Artifact) -> Result<Self> {
        let graph = Graph::of(artifact.units())?;
        let root = graph.program(artifact.binary)?;
        let mut parts = Self::default();
        parts.link(&graph, root)?;
        let unit = graph.units.get(root).context("the program is no unit")?;
        parts.root = Some(Package::of(&unit.pkg_id)?);
        let mut seen = BTreeSet::new();
        parts.need(&graph, root, None, &mut seen)?;
        Ok(parts)
    }

    /// Follows what is linked.
    fn link(&mut self, graph: &Graph, from: usize) -> Result<()> {
        let mut open = vec![from];
        let mut seen = BTreeSet::from([from]);
        while let Some(index) = open.pop() {
            let unit = graph.units.get(index).context("no such unit")?;
            let package = Package::of(&unit.pkg_id)?;
            let mut uses = BTreeSet::new();
            for (index, below) in graph.below(unit)? {
                if below.role() != Role::Library {
                    continue;
                }
                // A program and its own library are one package.
                let used = Package::of(&below.pkg_id)?;
                if used != package {
                    uses.insert(used);
                }
                if seen.insert(index) {
                    open.push(index);
                }
            }
            self.linked.entry(package).or_default().extend(uses);
        }
        Ok(())
    }

    /// Follows all that is compiled or run; `by` is the direct dependency that
    /// the way led through.
    fn need(
        &mut self,
        graph: &Graph,
        index: usize,
        by: Option<&str>,
        seen: &mut BTreeSet<(usize, Option<String>)>,
    ) -> Result<()> {
        if !seen.insert((index, by.map(str::to_owned))) {
            return Ok(());
        }
        let unit = graph.units.get(index).context("no such unit")?;
        let package = Package::of(&unit.pkg_id)?;
        self.note(unit, &package, by)?;
        for (index, below) in graph.below(unit)? {
            let used = Package::of(&below.pkg_id)?;
            // What a script is told by those of other packages is no code.
            if unit.role() == Role::ScriptRun && used != package {
                continue;
            }
            let enters = package.ours && !used.ours;
            if enters {
                self.needed.entry(used.clone()).or_default().direct = true;
            }
            let by = if enters { Some(used.name.as_str()) } else { by };
            self.need(graph, index, by, seen)?;
        }
        Ok(())
    }

    fn note(&mut self, unit: &Unit, package: &Package, by: Option<&str>) -> Result<()> {
        let needed = self.needed.entry(package.clone()).or_default();
        if needed.folder.as_os_str().is_empty() {
            needed.folder = package::folder(&unit.target.src_path)?;
        }
        match unit.role() {
            Role::Script | Role::ScriptRun => needed.script = true,
            Role::Macro => needed.macros = true,
            Role::Library => {}
        }
        needed.by.extend(by.map(str::to_owned));
        Ok(())
    }
}

impl Needed {
    /// Adds what another program knows of the same package.
    pub(super) fn merge(&mut self, other: &Self) {
        self.folder.clone_from(&other.folder);
        self.script |= other.script;
        self.macros |= other.macros;
        self.direct |= other.direct;
        self.by.extend(other.by.iter().cloned());
    }
}
