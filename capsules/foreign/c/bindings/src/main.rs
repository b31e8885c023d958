//! `c-bindings WIT WORLD OUT`: the C bindings of the world `WORLD` of the
//! package in the folder `WIT`, as `OUT/WORLD.h`, `OUT/WORLD.c` and
//! `OUT/WORLD_component_type.o`.
//!
//! What `wit-bindgen c` does, by the same library, without the generators for
//! other languages that the published command brings along.
#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wit_bindgen_core::Files;
use wit_parser::Resolve;

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [wit, world, out] = arguments.as_slice() else {
        bail!("usage: c-bindings WIT WORLD OUT");
    };
    let world = world.to_str().context("the world's name is not UTF-8")?;
    let files = generate(Path::new(wit), world)?;
    let out = PathBuf::from(out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    for (name, content) in files.iter() {
        let path = out.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn generate(wit: &Path, world: &str) -> Result<Files> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default()
        .build()
        .generate(&mut resolve, world, &mut files)?;
    Ok(files)
}
