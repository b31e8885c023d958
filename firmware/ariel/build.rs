//! Has the linker see to it that the program leaves the device's pages alone,
//! where Ariel OS gives it all of the chip's flash.

use std::path::PathBuf;
use std::{env, fs};

/// For the nRF52840, as `src/chip.rs` has it.
const SCRIPT: &str = "
ASSERT(__sidata + SIZEOF(.data) <= 0xA0000, \"the program is in the device's pages\");
";

fn main() {
    let contexts = env::var("CARGO_CFG_CONTEXT").unwrap_or_default();
    if contexts.split(',').any(|context| context == "nrf52840") {
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
        fs::write(out.join("sealift.x"), SCRIPT).expect("OUT_DIR can be written");
        println!("cargo:rustc-link-search={}", out.display());
        println!("cargo:rustc-link-arg-bins=-Tsealift.x");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
