//! What is counted on an emulated board: each thing twice, on a board that has just
//! been switched on, and both have to say the same.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fuzz_harness::promise::{anchor, fake_key};
use sealift_engine::Target;
use sha2::{Digest, Sha256};

use crate::cases::{Case, Signed, all, case, job, promise};
use crate::emulator::{Board, Machine};
use crate::steps::Subject;

/// How long a signed message is that is as long as a manifest's signature is over,
/// in bytes.
const MESSAGE: usize = 64;
/// Bytes that are hashed, of which the last kilobyte counts.
const HASHED: [usize; 2] = [3072, 4096];
/// The numbers of rounds of a loop, of which the difference counts.
const FIBONACCI: [u32; 2] = [20, 10_020];
const LOOPS: [u32; 2] = [1, 11];

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// What was counted.
    pub what: String,
    /// The instructions that it took at the least, and at the most.
    pub least: f64,
    /// At the most.
    pub most: f64,
}

/// The programs of a board.
struct Programs {
    machine: Machine,
    device: PathBuf,
    loops: PathBuf,
}

/// Counts everything.
///
/// # Errors
/// Where a device does not do what it should, or something else at the second time.
pub fn count(machine: Machine, signed: &Path, programs: &Path) -> Result<Vec<Row>> {
    let programs = Programs {
        machine,
        device: programs.join("sealift-counted-device"),
        loops: programs.join("sealift-counted-loops"),
    };
    let device = programs.device.clone();
    let start = move || Ok(Box::new(Board::start(machine, &device)?) as Box<dyn Subject>);
    let signed = Signed::read_for(Target::Pulley32, Box::new(start), signed)?;
    let mut rounds = Vec::new();
    let mut said = Vec::new();
    for _ in 0..2 {
        let mut rows = Vec::new();
        verifying(&programs, &mut rows)?;
        let mut cases = vec![empty(&signed)?];
        cases.extend(all(&signed)?);
        rows.extend(cases.iter().map(of_case));
        loops(&programs, &signed, &mut rows)?;
        rounds.push(rows);
        said.push(cases.into_iter().map(|case| case.sent).collect::<Vec<_>>());
    }
    let [first, second]: [Counts; 2] = rounds.try_into().ok().context("not twice")?;
    ensure!(said[0] == said[1], "a device said something else");
    let pairs = first.into_iter().zip(second);
    Ok(pairs
        .map(|((what, once), (_, again))| Row {
            what,
            least: once.min(again),
            most: once.max(again),
        })
        .collect())
}

type Counts = Vec<(String, f64)>;

fn of_case(case: &Case) -> (String, f64) {
    let each = precise(case.instructions) / f64::from(case.times);
    (case.what.clone(), each)
}

fn precise(count: u64) -> f64 {
    // Below 2^52.
    count as f64
}

/// What it takes to verify.
fn verifying(programs: &Programs, rows: &mut Counts) -> Result<()> {
    let mut board = Board::start(programs.machine, &programs.device)?;
    let message = [7; MESSAGE];
    let key = fake_key();
    let signature = key.sk.sign(message, None);
    board.task(b's', 0, &[&key.pk[..], &signature[..], &message].concat())?;
    let what = "Ed25519: a signature verified";
    rows.push((what.into(), precise(board.instructions())));

    let envelope = promise(Target::Pulley32)?;
    let key = anchor().to_bytes();
    board.task(b'e', 0, &[&key[..], &envelope].concat())?;
    let what = "the whole envelope verified, its signature with it";
    rows.push((what.into(), precise(board.instructions())));

    let mut counts = Vec::new();
    for length in HASHED {
        let bytes = vec![0x7f; length];
        let digest = board.task(b'h', 0, &bytes)?;
        ensure!(
            Sha256::digest(&bytes).as_slice() == digest,
            "another digest"
        );
        counts.push(board.instructions());
    }
    rows.push(("SHA-256 of 1 kB".into(), each(&counts, HASHED)? * 1024.0));
    Ok(())
}

/// A start with nothing to run.
fn empty(signed: &Signed) -> Result<Case> {
    let mut recorder = signed.recorder(&[])?;
    recorder.counted = true;
    recorder.boot()?;
    let what = "start of the device with an empty store";
    Ok(case("empty", what, 1, recorder))
}

/// The same loops in a capsule, and compiled for the processor.
fn loops(programs: &Programs, signed: &Signed, rows: &mut Counts) -> Result<()> {
    let mut board = Board::start(programs.machine, &programs.loops)?;
    for (kind, function, file, rounds, what) in [
        (
            b'f',
            "fibonacci",
            "eval-ephemeral.suit",
            FIBONACCI,
            "Fibonacci, for each round",
        ),
        (
            b'l',
            "loops",
            "loops.suit",
            LOOPS,
            "a set of loops, for each round",
        ),
    ] {
        let envelope = signed.file(file)?;
        let (mut native, mut interpreted) = (Vec::new(), Vec::new());
        for count in rounds {
            let result = board.task(kind, count.into(), &[])?;
            native.push(board.instructions());
            let result = u32::from_le_bytes(*result.first_chunk().context("no result")?);
            let input = format!("{function} {count}");
            let case = job(function, signed, &envelope, input.as_bytes())?;
            let said = String::from_utf8_lossy(&case.answer).into_owned();
            ensure!(said.trim() == result.to_string(), "{input}: {said}");
            interpreted.push(case.instructions);
        }
        let rounds = rounds.map(|count| count as usize);
        rows.push((format!("{what}: in a capsule"), each(&interpreted, rounds)?));
        rows.push((format!("{what}: compiled"), each(&native, rounds)?));
    }
    Ok(())
}

/// What one more takes, from two counts.
fn each(counts: &[u64], numbers: [usize; 2]) -> Result<f64> {
    let [few, many] = counts else {
        return Err(anyhow::anyhow!("not two counts"));
    };
    let [less, more] = numbers;
    let difference = many.checked_sub(*few).context("more took less")?;
    Ok(precise(difference) / precise((more - less) as u64))
}
