//! What people say of our direct dependencies: `direct.toml`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

/// The whole of `direct.toml`: an entry for each crate that a package of ours
/// asks for.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Direct(BTreeMap<String, Entry>);

/// Why a crate is there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// What it does for us.
    what: String,
    /// Who keeps it.
    kept: String,
    /// Why it is trusted.
    why: String,
    /// What of it was looked at, by whom or by which test; or that nothing was.
    looked: String,
}

impl Direct {
    /// Reads the text of `direct.toml`.
    pub(super) fn read(text: &str) -> Result<Self> {
        toml::from_str(text).context("cannot read direct.toml")
    }

    /// What is wrong with it, given the direct dependencies that there are.
    pub(super) fn check(&self, there: &BTreeSet<String>) -> Vec<String> {
        let mut problems = Vec::new();
        for name in there {
            let Some(entry) = self.0.get(name) else {
                problems.push(format!(
                    "direct.toml has no entry for {name}, which a package of ours asks for"
                ));
                continue;
            };
            let fields = [
                ("what", &entry.what),
                ("kept", &entry.kept),
                ("why", &entry.why),
                ("looked", &entry.looked),
            ];
            for (field, text) in fields {
                if text.trim().is_empty() {
                    problems.push(format!("direct.toml: {name} has no `{field}`"));
                }
            }
        }
        for name in self.0.keys().filter(|name| !there.contains(*name)) {
            problems.push(format!(
                "direct.toml has an entry for {name}, which no package of ours asks for"
            ));
        }
        problems
    }
}
