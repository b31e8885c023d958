//! The commands of the README and of CI. Each installs what it needs and says
//! what it does.
//!
//! - to use it: `demo`, `build`, `capsules`, `new-capsule`, `trevm`;
//! - every test: `test`; longer searches: `sweep`, `mutants`, `fuzz`, `miri`,
//!   `sanitize`;
//! - images and figures: `boards`, `size`, `bench`, `goodput`;
//! - what is shipped, and why to trust it: `supply-chain`, `sbom`,
//!   `reproducible`, `threats`.

#![forbid(unsafe_code)]

mod bench;
mod build;
mod bytes;
mod capsule;
mod count;
mod counting;
mod coverage;
mod demo;
mod floats;
mod foreign;
mod fuzz;
mod fuzzers;
mod goodput;
mod image;
mod libcoap;
mod miri;
mod mutants;
mod reproducible;
mod run;
mod sanitize;
mod setup;
mod size;
mod supply;
mod sweep;
mod test;
mod threats;
mod trevm;
#[cfg(test)]
mod versions;
mod wrapper;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use testbed::Board;

use crate::fuzzers::Purpose;
use crate::image::Image;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "The commands of Sealift's README and CI"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The main job, from nothing: sign, send, run, break, go back
    Demo {
        /// The device: native, a Linux process; cortex-m, a Cortex-M4F in QEMU; or
        /// riscv, a 32-bit RISC-V in QEMU
        #[arg(long, value_name = "BOARD", default_value = "native", value_parser = board)]
        board: Board,
    },
    /// All tests that need no special hardware; what CI runs
    Test,
    /// How much flash and RAM an image takes, held against its ceilings
    Size {
        /// The board: cortex-m or riscv in QEMU, or a real one
        #[arg(long, value_name = "BOARD", default_value = "cortex-m", value_parser = image::named)]
        board: &'static Image,
    },
    /// Builds the images of the real boards, leaves target/images/sealift-BOARD
    Boards,
    /// Every power cut in the store, and millions at random: the nightly run
    Sweep {
        /// Seed of what is random; another one each time if it is not given
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Changes of the manifest and storage crates that a test must notice
    Mutants,
    /// Unsafe code under Miri
    Miri,
    /// The native device under AddressSanitizer, through the end-to-end scenarios
    Sanitize,
    /// libFuzzer on the targets in fuzz/, for so many minutes each
    Fuzz {
        /// How long each target is fuzzed
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Writes fuzz/seeds anew instead
        #[arg(long)]
        seeds: bool,
        /// Runs seeds, regressions and what was found before, and says what of our
        /// crates that runs and what it does not
        #[arg(long, conflicts_with = "seeds")]
        coverage: bool,
        /// With AddressSanitizer, several times slower
        #[arg(long, conflicts_with_all = ["seeds", "coverage"])]
        addresses: bool,
        /// Only this target, on all cores
        target: Option<String>,
    },
    /// Writes the record of what others wrote and is in what we ship
    SupplyChain,
    /// Bills of materials of all that is shipped, to target/sbom
    Sbom,
    /// Builds programs twice, in two folders, and compares them: a long one
    Reproducible {
        /// Which, as in the record; by default signer and qemu-cortex-m
        names: Vec<String>,
    },
    /// The threat model as a table, or one threat of it
    Threats {
        /// Name of a threat, such as NET-4
        id: Option<String>,
    },
    /// What a request costs the device, in instructions: a table of bench/README.md
    Bench {
        /// The device: native, counted by Valgrind; cortex-m or riscv, counted by QEMU
        #[arg(long, value_name = "BOARD", default_value = "native", value_parser = board)]
        board: Board,
    },
    /// Goodput of the device beside aiocoap's server: a table of bench/README.md
    Goodput,
    /// Builds the host tools, the native device and the capsules on the SDK
    Build,
    /// Builds all capsules, leaves target/capsules/NAME.wasm
    Capsules,
    /// Builds, signs and runs the payloads of a treVM checkout, unchanged
    Trevm {
        /// The checkout
        folder: PathBuf,
    },
    /// Makes capsules/NAME, a capsule to start from
    NewCapsule {
        /// Name, of a-z, 0-9 and -
        name: String,
    },
}

fn board(name: &str) -> Result<Board, String> {
    Board::from_name(name).ok_or_else(|| {
        let names = Board::ALL.map(Board::name).join(", ");
        format!("there is no such board; the boards are: {names}")
    })
}

fn main() -> ExitCode {
    if let Some(folders) = std::env::var_os(wrapper::FOLDERS) {
        return wrapper::compile(&folders).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        });
    }
    let result = match Arguments::parse().command {
        Command::Demo { board } => demo::demo(board),
        Command::Test => test::test(),
        Command::Size { board } => size::size(board),
        Command::Boards => size::boards(),
        Command::Sweep { seed } => sweep::sweep(seed),
        Command::Mutants => mutants::mutants(),
        Command::Miri => miri::miri(),
        Command::Sanitize => sanitize::sanitize(),
        Command::Fuzz { seeds: true, .. } => fuzz::seeds(),
        Command::Fuzz {
            coverage: true,
            target,
            ..
        } => coverage::coverage(target.as_deref()),
        Command::Fuzz {
            minutes,
            addresses,
            target,
            ..
        } => {
            let purpose = match addresses {
                true => Purpose::Addresses,
                false => Purpose::Fuzzing,
            };
            fuzz::fuzz(purpose, minutes, target.as_deref())
        }
        Command::SupplyChain => supply::write(),
        Command::Sbom => supply::sbom(),
        Command::Reproducible { names } => reproducible::reproducible(&names),
        Command::Threats { id } => threats::threats(id.as_deref()),
        Command::Bench { board } => match image::of(board) {
            None => bench::bench(),
            Some(image) => counting::count(board, image),
        },
        Command::Goodput => goodput::goodput(),
        Command::Build => build::everything(),
        Command::Capsules => build::capsules().and_then(|()| foreign::capsules()),
        Command::Trevm { folder } => trevm::trevm(&folder),
        Command::NewCapsule { name } => capsule::new(&name),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
