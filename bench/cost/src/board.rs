//! What is counted on an emulated board: each thing twice, on a board that has just
//! been switched on, and the second time has to come to what the first did.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fuzz_harness::promise::{anchor, fake_key};
use sealift_engine::Target;
use sha2::{Digest, Sha256};

use crate::cases::{Case, Signed, all, case, job, promise};
use crate::emulator::{Board, Machine};
use crate::steps::Subject;

/// Bytes of a signed message: about what the signature of a manifest is over.
const MESSAGE: usize = 64;
/// Bytes that are hashed: the difference is a kilobyte.
const HASHED: [u32; 2] = [3072, 4096];

/// The loops: the task's name on the board, the function of the capsule, its numbers
/// of rounds, of which the difference counts, and what a round is. Numbers of rounds
/// have as many digits: what is sent to the device is as long.
const LOOPS: [(u8, &str, [u32; 2], &str); 2] = [
    (
        b'f',
        "fibonacci",
        [100_000, 200_000],
        "Fibonacci, an addition",
    ),
    (b'l', "loops", [100, 200], "the set of loops, once"),
];

/// What was counted.
#[derive(Debug, Default, PartialEq)]
pub struct Counts {
    /// What it was, and the instructions that it took.
    pub rows: Vec<(String, f64)>,
    /// The loops.
    pub loops: Vec<Loop>,
    /// What the device sent meanwhile.
    sent: Vec<Vec<u8>>,
}

/// What a round of a loop took.
#[derive(Debug, PartialEq)]
pub struct Loop {
    /// What a round is.
    pub what: &'static str,
    /// Instructions of the processor while the capsule did it.
    pub interpreted: f64,
    /// Instructions where it was compiled for the processor.
    pub compiled: f64,
}

/// Counts everything: what `signed` has, with the programs in this folder.
///
/// # Errors
/// Where a device does not do what it should, or something else at the second time.
pub fn count(machine: Machine, signed: &Path, programs: &Path) -> Result<Counts> {
    let device = programs.join("sealift-counted-device");
    let loops = programs.join("sealift-counted-loops");
    let start = {
        let device = device.clone();
        move || Ok(Box::new(Board::start(machine, &device)?) as Box<dyn Subject>)
    };
    let signed = Signed::read_for(Target::Pulley32, Box::new(start), signed)?;
    let counting = Counting {
        machine,
        device,
        loops,
        signed,
    };
    let (first, second) = (counting.round()?, counting.round()?);
    for (once, again) in first.rows.iter().zip(&second.rows) {
        ensure!(once == again, "not the same twice: {once:?}, {again:?}");
    }
    ensure!(first == second, "a device, or a loop, did something else");
    Ok(first)
}

struct Counting {
    machine: Machine,
    device: PathBuf,
    loops: PathBuf,
    signed: Signed,
}

impl Counting {
    /// All of it, once.
    fn round(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        self.verifying(&mut counts)?;
        let mut cases = vec![self.empty()?];
        cases.extend(all(&self.signed)?);
        for case in cases {
            let each = precise(case.instructions) / f64::from(case.times);
            counts.rows.push((case.what, each));
            counts.sent.extend(case.sent);
        }
        self.loops(&mut counts)?;
        Ok(counts)
    }

    /// What it takes to verify.
    fn verifying(&self, counts: &mut Counts) -> Result<()> {
        let mut board = Board::start(self.machine, &self.device)?;
        let message = [7; MESSAGE];
        let key = fake_key();
        let signature = key.sk.sign(message, None);
        board.task(b's', 0, &[&key.pk[..], &signature[..], &message].concat())?;
        let mut row = |what: &str, count| counts.rows.push((what.into(), count));
        row(
            "Ed25519: a signature verified",
            precise(board.instructions()),
        );

        let mut instructions = [0; 2];
        for (length, count) in HASHED.into_iter().zip(&mut instructions) {
            let bytes = vec![0x7f; usize::try_from(length)?];
            let digest = board.task(b'h', 0, &bytes)?;
            let right = Sha256::digest(&bytes);
            ensure!(right.as_slice() == digest, "not the digest");
            *count = board.instructions();
        }
        let kilobyte = each(instructions, HASHED)? * 1024.0;
        row("SHA-256 of one more kB", kilobyte);

        let envelope = promise(Target::Pulley32)?;
        let content = [&anchor().to_bytes()[..], &envelope].concat();
        board.task(b'e', 0, &content)?;
        row(
            "the head of an envelope verified, its signature with it",
            precise(board.instructions()),
        );
        Ok(())
    }

    /// A start with nothing to run.
    fn empty(&self) -> Result<Case> {
        let mut recorder = self.signed.recorder(&[])?;
        recorder.counted = true;
        recorder.boot()?;
        let what = "start of the device with an empty store";
        Ok(case("empty", what, 1, recorder))
    }

    /// The same loops in a capsule, and compiled for the processor.
    fn loops(&self, counts: &mut Counts) -> Result<()> {
        let mut board = Board::start(self.machine, &self.loops)?;
        let envelope = self.signed.file("loops.suit")?;
        for (task, function, rounds, what) in LOOPS {
            let (mut interpreted, mut compiled) = ([0; 2], [0; 2]);
            for (at, rounds) in rounds.into_iter().enumerate() {
                let result = board.task(task, rounds.into(), &[])?;
                let result = u32::from_le_bytes(*result.first_chunk().context("no result")?);
                compiled[at] = board.instructions();
                let input = format!("{function} {rounds}");
                let case = job(function, &self.signed, &envelope, input.as_bytes())?;
                let said = String::from_utf8_lossy(&case.answer);
                ensure!(
                    said.trim() == result.to_string(),
                    "{input}: the capsule says {said}, the processor {result}"
                );
                interpreted[at] = case.instructions;
            }
            counts.loops.push(Loop {
                what,
                interpreted: each(interpreted, rounds)?,
                compiled: each(compiled, rounds)?,
            });
        }
        Ok(())
    }
}

fn precise(count: u64) -> f64 {
    // Below 2^52.
    count as f64
}

/// What one more takes, from the counts of two numbers of them.
fn each(counts: [u64; 2], numbers: [u32; 2]) -> Result<f64> {
    let ([few, many], [less, more]) = (counts, numbers);
    let difference = many.checked_sub(few).context("more took less")?;
    Ok(precise(difference) / f64::from(more - less))
}
