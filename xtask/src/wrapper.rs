//! A wrapper around the compiler, for `cargo xtask reproducible`: cargo gives
//! each crate a number, which becomes a part of the names in the program. For a
//! package in a folder outside of the workspace's - for a board, most of ours -
//! and for the standard library, the number depends on where that folder is.
//! Here it depends on the package, the target and the features only.

use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// The variable with the folders that are not to matter, as in `PATH`. This
/// program is such a wrapper where it is set.
pub(crate) const FOLDERS: &str = "SEALIFT_FOLDERS";

/// How the compiler is told the number.
const NUMBER: &str = "metadata=";

/// Runs the compiler that the arguments name, with another number if the
/// package is in one of the folders.
///
/// # Errors
///
/// Where it cannot be started.
pub(crate) fn compile(folders: &OsStr) -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let compiler = arguments.next().context("no compiler to run")?;
    let mut arguments: Vec<OsString> = arguments.collect();
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let inside = package.and_then(|package| {
        let mut folders = std::env::split_paths(folders);
        folders.find_map(|folder| Some(package.strip_prefix(folder).ok()?.to_owned()))
    });
    if let Some(inside) = inside {
        renumber(&mut arguments, &inside);
    }
    let status = Command::new(compiler).args(arguments).status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(1).into())
}

/// Gives the crate another number, which says all that tells it from others.
fn renumber(arguments: &mut [OsString], package: &Path) {
    let mut hasher = DefaultHasher::new();
    package.hash(&mut hasher);
    for pair in arguments.windows(2) {
        let [name, value] = pair else { continue };
        if ["--crate-name", "--crate-type", "--target", "--cfg"]
            .iter()
            .any(|own| name == own)
        {
            value.hash(&mut hasher);
        }
    }
    for argument in arguments {
        if argument
            .to_str()
            .is_some_and(|text| text.starts_with(NUMBER))
        {
            *argument = format!("{NUMBER}{:016x}", hasher.finish()).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::renumber;

    #[test]
    fn the_number_is_of_the_package_and_its_features() {
        let number = |package: &str, feature: &str, before: &str| {
            let feature = format!("feature=\"{feature}\"");
            let words = ["--crate-name", "a", "--cfg", &feature, "-C", before];
            let mut arguments = words.map(OsString::from).to_vec();
            renumber(&mut arguments, Path::new(package));
            let number = arguments.pop().unwrap();
            assert_eq!(arguments, words.map(OsString::from)[..5]);
            number
        };
        let one = number("manifest", "std", "metadata=1");
        assert_eq!(one.len(), "metadata=".len() + 16);
        assert_eq!(one, number("manifest", "std", "metadata=2"));
        assert_ne!(one, number("storage", "std", "metadata=1"));
        assert_ne!(one, number("manifest", "alloc", "metadata=1"));
        assert_eq!(number("manifest", "std", "opt-level=3"), "opt-level=3");
    }
}
