//! What requests cost a device: `sealift-cost record SIGNED FOLDER` writes a recording for
//! each row of the table and lists them; `sealift-cost replay FILE` does again what is in
//! one, for Valgrind to count; `sealift-cost memory FILE` says what heap and stack it took;
//! `sealift-cost board BOARD SIGNED PROGRAMS` counts on an emulated board.
//! `cargo xtask bench` puts the tables together.

use std::path::Path;

use anyhow::{Context, Result, bail};
use fuzz_harness::memory::Counting;
use sealift_cost::board;
use sealift_cost::cases::{Signed, all};
use sealift_cost::emulator::Machine;
use sealift_cost::replay::{Memory, memory, replay};
use sealift_cost::steps::{Step, decode, encode};
use sealift_cost::unit::STATIC;

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["record", signed, folder] => record(Path::new(signed), Path::new(folder)),
        ["replay", file] => replay(&read(file)?, drop),
        ["memory", file] => {
            let Memory { rest, more, stack } = memory(&read(file)?)?;
            println!("{STATIC}\t{rest}\t{more}\t{stack}");
            Ok(())
        }
        ["board", board, signed, programs] => {
            let machine = Machine::from_name(board).context("there is no such board")?;
            let counts = board::count(machine, Path::new(signed), Path::new(programs))?;
            for (what, count) in counts.rows {
                println!("{what}\t{count}");
            }
            for of in counts.loops {
                println!("{}\t{}\t{}", of.what, of.interpreted, of.compiled);
            }
            Ok(())
        }
        _ => bail!(
            "usage: sealift-cost record SIGNED FOLDER | replay FILE | memory FILE | \
             board BOARD SIGNED PROGRAMS"
        ),
    }
}

fn record(signed: &Path, folder: &Path) -> Result<()> {
    for case in all(&Signed::read(signed)?)? {
        let file = folder.join(&case.name);
        std::fs::write(&file, encode(&case.steps)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!("{}\t{}\t{}", case.name, case.times, case.what);
    }
    Ok(())
}

fn read(file: &str) -> Result<Vec<Step>> {
    decode(&std::fs::read(file).with_context(|| format!("cannot read {file}"))?)
}
