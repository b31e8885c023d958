//! Prints the tables of payloads: `cargo run --bin payloads`, after
//! `cargo xtask capsules`. `SEALIFT_CAPSULES` is the folder with the capsules
//! where it is not `target/capsules`.

use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let folder = std::env::var_os("SEALIFT_CAPSULES")
        .map_or_else(|| "target/capsules".into(), PathBuf::from);
    println!("{}", sealift_bench::payloads::cases(&folder)?);
    print!("{}", sealift_bench::payloads::steps(&folder)?);
    Ok(())
}
