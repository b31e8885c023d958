//! `cargo xtask threats`: the threat model on a terminal.

use std::fs;
use std::io::Write as _;

use anyhow::{Context, Result};
use threat_model::{Table, entry, overview};

use crate::run::root;

/// Prints all threats, or one.
pub(crate) fn threats(id: Option<&str>) -> Result<()> {
    let path = root().join("threat-model/threats.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let table = Table::read(&text)?;
    let printed = match id {
        None => overview(&table),
        Some(id) => entry(
            table
                .get(&id.to_ascii_uppercase())
                .with_context(|| format!("there is no threat {id}"))?,
        ),
    };
    // A reader that has seen enough, such as `head`, is no failure.
    let _ = std::io::stdout().write_all(printed.as_bytes());
    Ok(())
}
