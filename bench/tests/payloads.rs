//! The tables of payloads in the README are those that the code gives.
//!
//! Needs the capsules built: `SEALIFT_CAPSULES` is the folder with
//! `NAME.wasm`, which `cargo xtask test` sets. Without it this test says so and
//! passes.

use std::path::PathBuf;

#[test]
#[cfg(target_pointer_width = "64")]
fn the_tables_of_payloads_are_up_to_date() {
    let Some(folder) = std::env::var_os("SEALIFT_CAPSULES").map(PathBuf::from) else {
        println!("skipped: SEALIFT_CAPSULES is not set");
        return;
    };
    let readme = include_str!("../README.md");
    let cases = sealift_bench::payloads::cases(&folder).expect("runs");
    let steps = sealift_bench::payloads::steps(&folder).expect("runs");
    for table in [&cases, &steps] {
        assert!(
            readme.contains(table),
            "put this into bench/README.md:\n{table}"
        );
    }
}
