//! `unsafe.toml` against the `unsafe` in the source.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Problem, Sources};

/// The whole of `unsafe.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Census {
    /// The files that have unsafe code.
    #[serde(rename = "file")]
    pub files: Vec<UnsafeFile>,
}

/// A file that has unsafe code.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsafeFile {
    /// Its path from the root of the repository.
    pub path: String,
    /// How often it says `unsafe`.
    pub count: usize,
    /// What for, and why that is sound.
    pub reason: String,
    /// `run`, if `cargo xtask miri` runs it; otherwise why Miri cannot, or is
    /// not asked to.
    #[serde(default)]
    pub miri: String,
}

impl Census {
    /// Reads the text of `unsafe.toml`.
    ///
    /// # Errors
    ///
    /// [`Problem::Table`] with the place and what is wrong there.
    pub fn read(text: &str) -> Result<Self, Problem> {
        toml::from_str(text).map_err(|error| Problem::Table(error.to_string()))
    }
}

/// Everything in which the list differs from the source.
#[must_use]
pub fn census(list: &Census, sources: &Sources) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut listed = BTreeMap::new();
    for file in &list.files {
        if listed.insert(file.path.as_str(), file.count).is_some() {
            problems.push(Problem::UnsafeRepeated(file.path.clone()));
        }
        if file.reason.trim().is_empty() {
            problems.push(Problem::UnsafeWithoutReason(file.path.clone()));
        }
        if file.miri.trim().is_empty() {
            problems.push(Problem::UnsafeWithoutMiri(file.path.clone()));
        }
    }
    let mut found: BTreeMap<&str, usize> = listed.keys().map(|path| (*path, 0)).collect();
    found.extend(
        sources
            .files()
            .filter(|(_, file)| file.unsafes > 0)
            .map(|(path, file)| (path, file.unsafes)),
    );
    for (path, found) in found {
        let listed = listed.get(path).copied().unwrap_or(0);
        if listed != found || found == 0 {
            problems.push(Problem::UnsafeCount {
                path: path.to_owned(),
                listed,
                found,
            });
        }
    }
    problems
}
