//! The tree as it is.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]

use std::fs;
use std::path::{Path, PathBuf};

use threat_model::{Census, Pages, Problem, Sources, Table};

/// The folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in a folder of the repository")
        .to_owned()
}

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).expect(name)
}

pub(crate) fn table() -> Table {
    Table::read(&text("threats.toml")).unwrap_or_else(|problem| panic!("{problem}"))
}

pub(crate) fn unsafe_list() -> Census {
    Census::read(&text("unsafe.toml")).unwrap_or_else(|problem| panic!("{problem}"))
}

pub(crate) fn sources() -> Sources {
    Sources::read(&root()).unwrap_or_else(|problem| panic!("{problem}"))
}

pub(crate) fn pages() -> Pages {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    Pages::read(folder).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Fails with all of them, a line each.
pub(crate) fn none(problems: &[Problem]) {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "\n{}", lines.join("\n"));
}
