//! `cargo xtask new-capsule NAME`: a capsule to start from.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::run::{root, say};

const MANIFEST: &str = include_str!("../template/Cargo.toml.in");
const SOURCE: &str = include_str!("../template/lib.rs");
const MEMBERS: &str = "members = [\n";

/// Makes `capsules/NAME` and adds it to the workspace there.
pub(crate) fn new(name: &str) -> Result<()> {
    make(&root().join("capsules"), name)?;
    say(&format!(
        "made capsules/{name}: edit src/lib.rs there; `cargo test` there tests it, \
         `cargo xtask capsules` builds it"
    ));
    Ok(())
}

fn make(capsules: &Path, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain),
        "a capsule's name is of a-z, 0-9 and -, and starts with a letter"
    );
    let workspace = capsules.join("Cargo.toml");
    let text = fs::read_to_string(&workspace)
        .with_context(|| format!("cannot read {}", workspace.display()))?;
    let (before, after) = text
        .split_once(MEMBERS)
        .context("capsules/Cargo.toml has no list of members")?;
    let folder = capsules.join(name);
    fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::create_dir(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), MANIFEST.replace("NAME", name))?;
    fs::write(folder.join("src/lib.rs"), SOURCE)?;
    fs::write(
        workspace,
        format!("{before}{MEMBERS}    \"{name}\",\n{after}"),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_capsule_is_a_member_and_nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().join("Cargo.toml");
        fs::write(&workspace, "[workspace]\nmembers = [\n    \"a\",\n]\n").unwrap();
        make(dir.path(), "lamp-2").unwrap();
        assert_eq!(
            fs::read_to_string(&workspace).unwrap(),
            "[workspace]\nmembers = [\n    \"lamp-2\",\n    \"a\",\n]\n"
        );
        assert!(dir.path().join("lamp-2/src/lib.rs").exists());
        assert!(make(dir.path(), "lamp-2").is_err());
        for bad in ["", "2", "../x", "A", "a_b", "a b"] {
            assert!(make(dir.path(), bad).is_err(), "{bad:?}");
        }
    }
}
