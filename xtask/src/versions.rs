//! One version of Rust is meant everywhere: the one that is pinned, that every
//! package asks for, and that the README tells.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::run::root;

/// Folders that hold no package of ours.
const SKIPPED: [&str; 2] = ["target", ".git"];

fn read(path: &Path) -> Table {
    let text = fs::read_to_string(path).unwrap();
    text.parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every `Cargo.toml` of the repository.
fn manifests(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_owned();
        if path.is_dir() {
            if !SKIPPED.iter().any(|skipped| name == *skipped) {
                manifests(&path, found);
            }
        } else if name == "Cargo.toml" {
            found.push(path);
        }
    }
}

#[test]
fn one_version_of_rust_is_meant_everywhere() {
    let pinned = read(&root().join("rust-toolchain.toml"));
    let channel = pinned["toolchain"]["channel"].as_str().unwrap();
    let (version, _) = channel.rsplit_once('.').unwrap();

    let mut paths = Vec::new();
    manifests(&root(), &mut paths);
    assert!(paths.len() > 30);
    for path in paths {
        let manifest = read(&path);
        let workspace = manifest.get("workspace");
        let of_workspace = workspace.and_then(|workspace| workspace.get("package"));
        if let Some(shared) = of_workspace {
            assert_eq!(shared["rust-version"].as_str(), Some(version), "{path:?}");
        }
        if let Some(package) = manifest.get("package") {
            let own = package.get("rust-version");
            let inherited = own.is_some_and(Value::is_table);
            let same = own.and_then(Value::as_str) == Some(version);
            assert!(inherited || same, "{path:?} asks for another Rust");
        }
    }

    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let told = format!("Rust {version}");
    assert!(readme.contains(&told), "the README does not say {told}");
    for other in readme.match_indices("Rust 1.").map(|(at, _)| &readme[at..]) {
        assert!(
            other.starts_with(&told),
            "{}",
            other.lines().next().unwrap()
        );
    }
}
