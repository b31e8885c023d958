//! Hands the linker the memory map of the board that is built for.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let arm = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "arm");
    let board = if arm { "qemu-cortex-m" } else { "qemu-riscv" };
    let map = format!("../{board}/memory.x");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::copy(&map, out.join("memory.x")).expect("the board has a memory map");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=--nmagic");
    if !arm {
        println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed={map}");
}
