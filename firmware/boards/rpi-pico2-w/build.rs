//! Hands the linker this board's memory map, and the compiler the firmware of the
//! Wi-Fi chip, which is not in this repository: its licence is its own.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The files, as their publishers name them, and by which name the program knows
/// their places.
const FIRMWARE: [(&str, &str); 3] = [
    ("43439A0.bin", "SEALIFT_CYW43_PROGRAM"),
    ("43439A0_clm.bin", "SEALIFT_CYW43_COUNTRIES"),
    ("nvram_rp2040.bin", "SEALIFT_CYW43_BOARD"),
];
/// The folder that they are in; without this, the folder `cyw43` here.
const FOLDER: &str = "SEALIFT_CYW43";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("memory.x"), include_str!("memory.x")).expect("OUT_DIR can be written");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=memory.x");
    wifi_firmware(&out);
}

/// An image without it says so in its log and stops, so that everything else can
/// be built and checked where the firmware is not to be had.
fn wifi_firmware(out: &Path) {
    println!("cargo:rerun-if-env-changed={FOLDER}");
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("cyw43");
    let folder = env::var_os(FOLDER).map_or(beside, PathBuf::from);
    let nothing = out.join("nothing");
    fs::write(&nothing, []).expect("OUT_DIR can be written");
    for (file, name) in FIRMWARE {
        let path = folder.join(file);
        println!("cargo:rerun-if-changed={}", path.display());
        let path = if path.is_file() { &path } else { &nothing };
        println!("cargo:rustc-env={name}={}", path.display());
    }
}
