//! Packages, as cargo names them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use threat_model::Sources;

/// What ours are under, as their `Cargo.toml`s say.
const OWN_LICENCE: &str = "MIT OR Apache-2.0";

/// Folders of a package that are not in what is built of it.
const NOT_BUILT: [&str; 4] = ["tests", "benches", "examples", "target"];

/// A package of one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Whether it is in this repository.
    pub(crate) ours: bool,
}

/// The part of a `Cargo.toml` that is read here.
#[derive(Deserialize)]
struct Manifest {
    package: About,
}

#[derive(Deserialize)]
struct About {
    // Ours say `license.workspace = true`.
    license: Option<toml::Value>,
}

impl Package {
    /// The package of a unit: `registry+https://...#name@1.2.3`,
    /// `path+file:///folder#name@1.2.3`, or without the name if that is the
    /// folder's.
    pub(super) fn of(id: &str) -> Result<Self> {
        let (source, name) = id.split_once('#').with_context(|| id.to_owned())?;
        let (name, version) = match name.split_once('@') {
            Some(both) => both,
            None => (source.rsplit('/').next().unwrap_or(source), name),
        };
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            ours: source.starts_with("path+"),
        })
    }

    /// Name and version, as the record has them.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// The folder of the package that a source file belongs to.
pub(super) fn folder(source: &Path) -> Result<PathBuf> {
    let mut folders = source.ancestors().skip(1);
    folders
        .find(|folder| folder.join("Cargo.toml").is_file())
        .map(Path::to_owned)
        .with_context(|| format!("{} is in no package", source.display()))
}

/// The licence that a package states.
pub(super) fn licence(folder: &Path) -> Result<Option<String>> {
    let path = folder.join("Cargo.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: Manifest =
        toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(manifest.package.license.map(|license| match license {
        // With a slash, as crates wrote "or" before there was SPDX.
        toml::Value::String(licence) => licence.replace('/', " OR ").replace("  ", " "),
        _ => OWN_LICENCE.to_owned(),
    }))
}

/// How often the source of a package says `unsafe`: blocks, functions, impls and
/// attributes, whatever is compiled of them. Files that are no Rust are left
/// out.
pub(super) fn unsafes(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if !NOT_BUILT.iter().any(|other| name == *other) {
                count += unsafes(&path)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && let Ok(text) = fs::read_to_string(&path)
        {
            let mut sources = Sources::default();
            if sources.insert("it", &text).is_ok() {
                count += sources.get("it").map_or(0, |file| file.unsafes);
            }
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::Package;

    #[test]
    fn ids_are_read() {
        let of = |id: &str| {
            let package = Package::of(id).unwrap();
            (package.key(), package.ours)
        };
        let index = "registry+https://example.org/index";
        assert_eq!(
            of(&format!("{index}#aes@0.8.4")),
            ("aes 0.8.4".into(), false)
        );
        assert_eq!(
            of("path+file:///a/signer#0.1.0"),
            ("signer 0.1.0".into(), true)
        );
        let wire = "path+file:///a/firmware/wire#sealift-wire@0.1.0";
        assert_eq!(of(wire), ("sealift-wire 0.1.0".into(), true));
        assert!(Package::of("aes").is_err());
    }
}
