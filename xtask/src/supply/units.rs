//! What cargo would compile and run for a program: its unit graph.
//!
//! `cargo metadata` and `cargo tree` know packages; which features and which
//! build scripts are in one build of one target, cargo knows by units only.
//! The graph is an unstable option of the pinned compiler's cargo, like those
//! that images are built with.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::run::line;

/// The form of the graph that this reads.
const VERSION: u32 = 1;

/// All units of a build.
#[derive(Debug, Deserialize)]
pub(super) struct Graph {
    version: u32,
    pub(super) units: Vec<Unit>,
    pub(super) roots: Vec<usize>,
}

/// One run of the compiler, or of a build script.
#[derive(Debug, Deserialize)]
pub(super) struct Unit {
    pub(super) pkg_id: String,
    pub(super) target: Target,
    mode: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// What of a package is compiled.
#[derive(Debug, Deserialize)]
pub(super) struct Target {
    kind: Vec<String>,
    pub(super) name: String,
    pub(super) src_path: PathBuf,
}

/// An edge of the graph.
#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) index: usize,
}

/// What a unit is to those that depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Code that ends up in them.
    Library,
    /// Code that the compiler runs.
    Macro,
    /// The compiling of a build script.
    Script,
    /// The running of one.
    ScriptRun,
}

impl Graph {
    /// The graph of what `build` would do; nothing is compiled.
    ///
    /// # Errors
    ///
    /// Where cargo fails, or answers in a form that this does not know.
    pub(super) fn of(mut build: Command) -> Result<Self> {
        build
            .args(["-Zunstable-options", "--unit-graph"])
            .env("RUSTC_BOOTSTRAP", "1");
        let output = build
            .output()
            .with_context(|| format!("cannot start {}", line(&build)))?;
        ensure!(
            output.status.success(),
            "failed: {}\n{}",
            line(&build),
            String::from_utf8_lossy(&output.stderr)
        );
        let graph: Self = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("cannot read what this says: {}", line(&build)))?;
        ensure!(
            graph.version == VERSION,
            "a unit graph of version {}",
            graph.version
        );
        Ok(graph)
    }

    /// The unit that links a program.
    pub(super) fn program(&self, name: &str) -> Result<usize> {
        let is = |unit: &Unit| unit.target.name == name && unit.target.is("bin");
        let mut roots = self.roots.iter().copied();
        roots
            .find(|root| self.units.get(*root).is_some_and(is))
            .with_context(|| format!("{name} is not built"))
    }

    /// The units that one depends on.
    pub(super) fn below(&self, unit: &Unit) -> Result<Vec<(usize, &Unit)>> {
        let below = unit.dependencies.iter().map(|edge| {
            let found = self.units.get(edge.index);
            Ok((edge.index, found.context("an edge that leads nowhere")?))
        });
        below.collect()
    }
}

impl Unit {
    /// What it is.
    pub(super) fn role(&self) -> Role {
        if self.mode == "run-custom-build" {
            Role::ScriptRun
        } else if self.target.is("custom-build") {
            Role::Script
        } else if self.target.is("proc-macro") {
            Role::Macro
        } else {
            Role::Library
        }
    }
}

impl Target {
    fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|own| own == kind)
    }
}
