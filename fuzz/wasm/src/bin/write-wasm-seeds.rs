//! Writes the seeds of the targets with a compiler into the folder that it is
//! given: `cargo xtask fuzz --seeds`.

#![forbid(unsafe_code)]

use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: write-wasm-seeds FOLDER");
        return ExitCode::from(2);
    };
    match write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> Result<()> {
    for (target, seeds) in fuzz_wasm::seeds::all() {
        let folder = folder.join(target);
        // What is not made any more goes.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        for (name, seed) in seeds {
            fs::write(folder.join(name), seed)?;
        }
    }
    Ok(())
}
