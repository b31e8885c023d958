//! `cargo xtask sbom`: a bill of materials for each program that is shipped, in
//! CycloneDX 1.5.
//!
//! The few objects of it that are needed are written here: the published
//! libraries either do not know what is in one program of a workspace, or bring
//! twenty crates along to write them. Another implementation checks the files
//! against CycloneDX's own schema.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::artifact::{Artifact, Trust};
use super::package::{self, Package};
use super::parts::Parts;
use crate::run::{root, run, say, target};
use crate::setup;

/// Where the other implementation is asked.
const VALIDATOR: &str = "threat-model/supply-chain/validate.py";

/// Checksums of a `Cargo.lock`, by name and version.
type Checksums = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// Writes a file for each program, `target/sbom/NAME.cdx.json`, and has them
/// checked.
///
/// # Errors
///
/// Where something of a program is not known, or a file is no CycloneDX.
pub(crate) fn sbom() -> Result<()> {
    say("asking cargo what it would build");
    let mut files = Vec::new();
    let folder = target().join("sbom");
    fs::create_dir_all(&folder).context("cannot make target/sbom")?;
    for artifact in Artifact::all() {
        let path = folder.join(format!("{}.cdx.json", artifact.name()));
        let bill = bill(&artifact)?;
        let components = bill["components"].as_array().map_or(0, Vec::len);
        let text = serde_json::to_string_pretty(&bill)? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}: {components} components", path.display());
        files.push(path);
    }
    validate(&setup::python()?, &files)
}

/// Has files checked by another implementation.
fn validate(python: &Path, files: &[PathBuf]) -> Result<()> {
    run(Command::new(python).arg(root().join(VALIDATOR)).args(files))
}

/// The bill of one program. The same source gives the same bytes: it has no
/// date and no number.
fn bill(artifact: &Artifact) -> Result<Value> {
    let kind = match artifact.trust {
        Trust::Device => "firmware",
        Trust::Translator | Trust::Tool => "application",
    };
    let checksums = checksums(&artifact.workspace())?;
    let parts = Parts::of(artifact)?;
    let program = parts.root.clone().context("a program of no package")?;
    let standard = standard_library()?;

    let mut components = vec![standard.clone()];
    let mut dependencies = Vec::new();
    for (package, uses) in &parts.linked {
        let mut below: Vec<String> = uses.iter().map(purl).collect();
        if *package == program {
            below.extend(standard["bom-ref"].as_str().map(str::to_owned));
        } else {
            components.push(component("library", package, &parts, &checksums)?);
        }
        dependencies.push(json!({ "ref": purl(package), "dependsOn": below }));
    }
    let mut metadata = json!({
        "component": component(kind, &program, &parts, &checksums)?,
    });
    if let Some(target) = artifact.target() {
        metadata["properties"] = json!([{ "name": "cargo:target", "value": target }]);
    }
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": metadata,
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(kind: &str, package: &Package, parts: &Parts, checksums: &Checksums) -> Result<Value> {
    let known = parts.needed.get(package);
    let known = known.with_context(|| format!("{} is from nowhere", package.key()))?;
    let licence = package::licence(&known.folder)?;
    let licence = licence.with_context(|| format!("{} states no licence", package.key()))?;
    let mut component = json!({
        "type": kind,
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "purl": purl(package),
        "licenses": [{ "expression": licence }],
    });
    if !package.ours {
        let checksum = checksums.get(&package.key());
        let checksum = checksum.with_context(|| format!("{} is not locked", package.key()))?;
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    Ok(component)
}

/// What is compiled with the programs, or was when the compiler was made.
fn standard_library() -> Result<Value> {
    let said = setup::rustc(&["--version"])?;
    let version = said.split(' ').nth(1).context("rustc of no version")?;
    let purl = format!("pkg:generic/rust-std@{version}");
    Ok(json!({
        "type": "library",
        "bom-ref": purl,
        "name": "rust-std",
        "version": version,
        "description": "Rust's standard library: all of it, or core and alloc",
        "purl": purl,
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
    }))
}

/// The package URL. Ours are on no registry, which has others of the same name.
fn purl(package: &Package) -> String {
    let kind = if package.ours {
        "generic/sealift"
    } else {
        "cargo"
    };
    let version = package.version.replace('+', "%2B");
    format!("pkg:{kind}/{}@{version}", package.name)
}

fn checksums(workspace: &Path) -> Result<Checksums> {
    let path = workspace.join("Cargo.lock");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lock: Lock = toml::from_str(&text)?;
    let packages = lock.package.into_iter();
    let locked = packages.filter_map(|locked| {
        let key = format!("{} {}", locked.name, locked.version);
        Some((key, locked.checksum?))
    });
    let checksums: Checksums = locked.collect();
    ensure!(!checksums.is_empty(), "{} locks nothing", path.display());
    Ok(checksums)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of all components, by artifact.
    fn names(wanted: impl Fn(&Artifact) -> bool) -> Vec<(&'static str, Vec<String>)> {
        let wanted = Artifact::all().into_iter().filter(wanted);
        let names = wanted.map(|artifact| {
            let name = artifact.name();
            let bill = bill(&artifact).unwrap();
            let components = bill["components"].as_array().unwrap();
            let names = components.iter().map(|component| {
                // All of a third party's can be looked up and compared.
                let known = component["purl"].as_str().unwrap();
                assert!(
                    !known.starts_with("pkg:cargo/") || component["hashes"].is_array(),
                    "{known}"
                );
                component["name"].as_str().unwrap().to_owned()
            });
            (name, names.collect())
        });
        names.collect()
    }

    /// Threat: SUP-5
    #[test]
    fn no_device_has_a_compiler() {
        let devices = names(|it| it.trust == Trust::Device || it.binary == "sealift-native");
        assert!(devices.len() >= 3);
        for (device, names) in devices {
            let has = |name: &str| names.iter().any(|own| own == name);
            // Or else this looks at nothing.
            assert!(has("pulley-interpreter") && has("sealift-core"), "{device}");
            for compiler in [
                "cranelift-codegen",
                "cranelift-frontend",
                "wasmtime-internal-cranelift",
                "wasmtime-internal-winch",
                "wit-component",
                "signer",
            ] {
                assert!(!has(compiler), "{compiler} is in {device}");
            }
        }
    }

    /// Threat: TR-2
    #[test]
    fn the_signer_has_no_network_crate() {
        let signer = names(|it| it.binary == "signer");
        let [(_, names)] = signer.as_slice() else {
            panic!("one signer");
        };
        assert!(names.iter().any(|own| own == "cranelift-codegen"));
        for network in [
            "curl",
            "embassy-net",
            "h2",
            "hyper",
            "lakers",
            "mio",
            "native-tls",
            "openssl",
            "quinn",
            "reqwest",
            "rustls",
            "sealift-oscore",
            "smoltcp",
            "socket2",
            "tokio",
            "updater",
            "ureq",
        ] {
            assert!(!names.iter().any(|own| own == network), "{network}");
        }
    }
}
