//! `cargo xtask reproducible`: does the same source give the same program?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSection};

use crate::run::{root, run, say, target};
use crate::setup;
use crate::supply::Artifact;
use crate::wrapper::FOLDERS;

/// Two folders, of names of different lengths.
const PLACES: [&str; 2] = ["one", "another/place/of/longer/name"];

/// Those that are compared if none is named: the program whose work devices
/// trust, and one image. All of them would take hours.
const USUAL: [&str; 2] = ["signer", "qemu-cortex-m"];

/// What the paths of a build are called in what is built.
const SOURCE: &str = "/sealift";
const BUILT: &str = "/sealift/target";
const CRATES: &str = "/cargo";
const TOOLCHAIN: &str = "/rust";

/// Builds programs twice, from what is committed, in two folders, and compares
/// them byte for byte. The signer takes half an hour on two cores.
///
/// # Errors
///
/// Where they differ; what differs is said.
pub(crate) fn reproducible(names: &[String]) -> Result<()> {
    let usual = USUAL.map(str::to_owned);
    let names = if names.is_empty() { &usual } else { names };
    for name in names {
        ensure!(
            Artifact::all().iter().any(|it| it.name() == name),
            "there is no {name} to build"
        );
    }
    setup::linker()?;
    for name in names {
        twice(name)?;
    }
    Ok(())
}

fn twice(name: &str) -> Result<()> {
    let folder = target().join("reproducible").join(name);
    let mut built = Vec::new();
    for place in PLACES {
        say(&format!("building {name} in {place}"));
        let place = folder.join(place);
        fresh(&place)?;
        let program = build(name, &place)?;
        let kept = place.with_extension("program");
        fs::copy(&program, &kept).with_context(|| format!("no {}", program.display()))?;
        // Gigabytes, and nothing may be left of it for the other one.
        fs::remove_dir_all(&place)?;
        built.push(kept);
    }
    let [one, another] = built.as_slice() else {
        bail!("two builds were made");
    };
    run(Command::new("sha256sum").args(&built))?;
    let differences = compare(&fs::read(one)?, &fs::read(another)?);
    ensure!(
        differences.is_empty(),
        "{name} is not reproducible: {}",
        differences.join(", ")
    );
    say(&format!("{name}: the same bytes"));
    Ok(())
}

/// A checkout of what is committed, and nothing else.
fn fresh(place: &Path) -> Result<()> {
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    run(Command::new("git")
        .args(["clone", "--quiet"])
        .args([&root(), &place.join("source")]))
}

/// Builds it there; returns the program.
fn build(name: &str, place: &Path) -> Result<PathBuf> {
    let mut all = Artifact::all().into_iter();
    let artifact = all
        .find(|it| it.name() == name)
        .context("no such program")?;
    let (source, built) = (place.join("source"), place.join("built"));
    let workspace = source.join(artifact.workspace().strip_prefix(root())?);
    // Of several that fit, the compiler takes the last.
    let home = cargo_home()?;
    let sysroot = setup::sysroot()?;
    // Cargo calls the standard library's source by the name behind the links.
    let library = sysroot.canonicalize()?;
    let flags = [
        (home.as_path(), CRATES),
        (sysroot.as_path(), TOOLCHAIN),
        (library.as_path(), TOOLCHAIN),
        (source.as_path(), SOURCE),
        (built.as_path(), BUILT),
    ]
    .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let (mut command, output) = artifact.build(&built, &flags)?;
    command
        .current_dir(workspace)
        .env("CARGO_INCREMENTAL", "0")
        .env("RUSTC_WRAPPER", std::env::current_exe()?)
        .env(FOLDERS, std::env::join_paths([&source, &library])?);
    run(&mut command)?;
    Ok(output)
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir().context("there is no home folder")?;
    Ok(home.join(".cargo"))
}

/// The sections that differ, or that something else does.
fn compare(one: &[u8], another: &[u8]) -> Vec<String> {
    if one == another {
        return Vec::new();
    }
    let mut differences = Vec::new();
    if let (Ok(one), Ok(another)) = (object::File::parse(one), object::File::parse(another)) {
        for section in one.sections() {
            let name = section.name().unwrap_or_default();
            let other = another.section_by_name(name);
            let data = other.and_then(|other| other.data().ok());
            if section.data().ok() != data {
                differences.push(name.to_owned());
            }
        }
    }
    if differences.is_empty() {
        differences.push("something outside of its sections".to_owned());
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn one_byte_is_a_difference() {
        assert_eq!(compare(b"abc", b"abc"), Vec::<String>::new());
        assert_eq!(compare(b"abc", b"abd").len(), 1);
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let mut changed = own.clone();
        let file = object::File::parse(&*own).unwrap();
        let text = object::Object::section_by_name(&file, ".text").unwrap();
        let (start, _) = object::ObjectSection::file_range(&text).unwrap();
        changed[usize::try_from(start).unwrap()] ^= 1;
        assert_eq!(compare(&own, &changed), [".text"]);
    }
}
