//! Writes the seeds into the folder that it is given: `cargo xtask fuzz --seeds`.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use fuzz_harness::Target;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: write-seeds FOLDER");
        return ExitCode::from(2);
    };
    for target in Target::ALL {
        let folder = folder.join(target.name());
        // What is not made any more goes.
        let _ = std::fs::remove_dir_all(&folder);
        if let Err(error) = std::fs::create_dir_all(&folder) {
            eprintln!("{}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
        for (name, seed) in target.seeds() {
            let path = folder.join(name);
            if let Err(error) = std::fs::write(&path, seed) {
                eprintln!("{}: {error}", path.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
