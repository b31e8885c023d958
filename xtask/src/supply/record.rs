//! `cargo xtask supply-chain`: the record of what others wrote and we ship.
//!
//! It is a table with a line for each crate and version, so that the diff of an
//! update shows what came in, whether it runs code while it is built, and in
//! which programs it ends up. `direct.toml` beside it is written by people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::artifact::{Artifact, Trust};
use super::direct::Direct;
use super::package;
use super::parts::{Needed, Parts};
use crate::run::{root, say};

/// Where the record is.
const RECORD: &str = "threat-model/supply-chain/crates.toml";
/// Where people say why a crate is there.
const DIRECT: &str = "threat-model/supply-chain/direct.toml";

const HEAD: &str = "\
# What others wrote and is in what we ship, or runs while it is built. Made by
# `cargo xtask supply-chain`; a test compares it with the lock files. After an
# update, the diff of this file is what has to be looked at.
#
# A crate stands where it can do the most harm: in a device, in the translator,
# in another tool, or only on the machine that builds.
#
# in       the programs that it is linked into, or that it helps to build
# by       which of our direct dependencies bring it; if that is not there, it is one
# licence  as it states it
# unsafe   how often its source says so, whatever is compiled of that
# runs     code of it that runs while we build: a build script, a macro
";

/// The part of the table that a crate is in; that is how it is trusted.
const SECTIONS: [(Section, &str); 4] = [
    (Section::Device, "device"),
    (Section::Translator, "translator"),
    (Section::Tool, "tool"),
    (Section::Build, "build"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Device,
    Translator,
    Tool,
    Build,
}

/// A crate's line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "in")]
    programs: String,
    #[serde(default)]
    by: String,
    licence: String,
    #[serde(rename = "unsafe")]
    unsafes: usize,
    #[serde(default)]
    runs: String,
}

/// Crates by section, then by name and version.
type Table = BTreeMap<String, BTreeMap<String, Line>>;

/// A crate of which it is not known yet where it stands.
struct Found {
    section: Section,
    linked: BTreeSet<&'static str>,
    building: BTreeSet<&'static str>,
    needed: Needed,
}

/// Writes the record anew, and says what of `direct.toml` is missing.
///
/// # Errors
///
/// Where cargo does not say what it would build, or something is missing.
pub(crate) fn write() -> Result<()> {
    say("asking cargo what it would build");
    let old = read_record().unwrap_or_default();
    let (table, direct) = collect(&old)?;
    let path = root().join(RECORD);
    fs::write(&path, print(&table)).with_context(|| format!("cannot write {RECORD}"))?;
    let crates: usize = table.values().map(BTreeMap::len).sum();
    println!(
        "{crates} crates, {} of them asked for by ours",
        direct.len()
    );
    for line in changes(&old, &table) {
        println!("{line}");
    }
    fail(Direct::read(&text(DIRECT)?)?.check(&direct))
}

fn fail(problems: Vec<String>) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}", problems.join("\n"));
}

fn text(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
}

fn read_record() -> Result<Table> {
    toml::from_str(&text(RECORD)?).with_context(|| format!("cannot read {RECORD}"))
}

/// The table as it has to be, and the names of direct dependencies. A version
/// that `old` has does not change, so its `unsafe` is not counted again.
fn collect(old: &Table) -> Result<(Table, BTreeSet<String>)> {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let mut direct = BTreeSet::new();
    for artifact in Artifact::all() {
        let (name, trust) = (artifact.name(), artifact.trust);
        let parts = Parts::of(&artifact)?;
        for (package, needed) in &parts.needed {
            if package.ours {
                continue;
            }
            if needed.direct {
                direct.insert(package.name.clone());
            }
            let entry = found.entry(package.key()).or_insert_with(|| Found {
                section: Section::Build,
                linked: BTreeSet::new(),
                building: BTreeSet::new(),
                needed: Needed::default(),
            });
            if parts.linked.contains_key(package) {
                entry.linked.insert(name);
                entry.section = entry.section.min(Section::of(trust));
            } else {
                entry.building.insert(name);
            }
            entry.needed.merge(needed);
        }
    }
    let counted: BTreeMap<&String, usize> = old
        .values()
        .flatten()
        .map(|(key, line)| (key, line.unsafes))
        .collect();
    let mut table = Table::new();
    for (key, found) in found {
        let unsafes = match counted.get(&key) {
            Some(count) => *count,
            None => package::unsafes(&found.needed.folder)?,
        };
        let line = Line::of(&found, unsafes)?;
        let section = SECTIONS
            .iter()
            .find(|(section, _)| *section == found.section);
        let (_, section) = section.context("a section without a name")?;
        table
            .entry((*section).to_owned())
            .or_default()
            .insert(key, line);
    }
    Ok((table, direct))
}

impl Section {
    const fn of(trust: Trust) -> Self {
        match trust {
            Trust::Device => Self::Device,
            Trust::Translator => Self::Translator,
            Trust::Tool => Self::Tool,
        }
    }
}

impl Line {
    fn of(found: &Found, unsafes: usize) -> Result<Self> {
        let programs = match found.section {
            Section::Build => &found.building,
            _ => &found.linked,
        };
        let words = |set: &BTreeSet<&str>| set.iter().copied().collect::<Vec<_>>().join(" ");
        let needed = &found.needed;
        let by = needed.by.iter().map(String::as_str).collect();
        let runs = match (needed.script, needed.macros) {
            (false, false) => "",
            (true, false) => "script",
            (false, true) => "macro",
            (true, true) => "script macro",
        };
        Ok(Self {
            programs: words(programs),
            by: if needed.direct {
                String::new()
            } else {
                words(&by)
            },
            licence: package::licence(&needed.folder)?.unwrap_or_else(|| "none stated".into()),
            unsafes,
            runs: runs.to_owned(),
        })
    }

    /// As it stands in the file, behind the crate.
    fn print(&self) -> String {
        let mut text = format!("{{ in = {:?}", self.programs);
        if !self.by.is_empty() {
            let _ = write!(text, ", by = {:?}", self.by);
        }
        let _ = write!(text, ", licence = {:?}", self.licence);
        let _ = write!(text, ", unsafe = {}", self.unsafes);
        if !self.runs.is_empty() {
            let _ = write!(text, ", runs = {:?}", self.runs);
        }
        text + " }"
    }
}

fn print(table: &Table) -> String {
    let mut text = HEAD.to_owned();
    for (_, name) in SECTIONS {
        let _ = write!(text, "\n[{name}]\n");
        for (key, line) in table.get(name).into_iter().flatten() {
            let _ = writeln!(text, "{key:?} = {}", line.print());
        }
    }
    text
}

/// What has to change in `old` for it to be `new`, as lines of a diff.
fn changes(old: &Table, new: &Table) -> Vec<String> {
    let lines = |table: &Table| -> BTreeSet<(String, String, String)> {
        let sections = table.iter();
        let lines = sections.flat_map(|(section, lines)| {
            lines
                .iter()
                .map(|(key, line)| (key.clone(), section.clone(), line.print()))
        });
        lines.collect()
    };
    let (old, new) = (lines(old), lines(new));
    let gone = old.difference(&new).map(|line| (line, '-'));
    let come = new.difference(&old).map(|line| (line, '+'));
    let mut changes: Vec<_> = gone.chain(come).collect();
    changes.sort();
    changes
        .into_iter()
        .map(|((key, section, line), sign)| format!("{sign} [{section}] {key:?} = {line}"))
        .collect()
}

#[cfg(test)]
mod tests;
