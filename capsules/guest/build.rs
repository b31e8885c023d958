//! Describes the worlds of the capsule WIT, in the form that a core module
//! carries in its `component-type` section and from which `signer` makes a
//! component. `wit-bindgen` would leave the same description, and code that
//! the hand-written ABI of this crate does not need.

use std::error::Error;
use std::path::{Path, PathBuf};

use wit_component::StringEncoding;
use wit_parser::Resolve;

fn main() -> Result<(), Box<dyn Error>> {
    let wit = Path::new("../wit");
    println!("cargo::rerun-if-changed={}", wit.display());
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let describe = |resolve: &Resolve, world: &str, name: &str| -> Result<(), Box<dyn Error>> {
        let world = resolve.select_world(&[package], Some(world))?;
        let encoded = wit_component::metadata::encode(resolve, world, StringEncoding::UTF8, None)?;
        Ok(std::fs::write(out.join(name), encoded)?)
    };
    for name in ["persistent", "ephemeral"] {
        describe(&resolve, name, name)?;
    }
    // What can be imported, for capsules that export functions of their own.
    for (_, world) in resolve.worlds.iter_mut() {
        world.exports.clear();
    }
    describe(&resolve, "ephemeral", "services")
}
