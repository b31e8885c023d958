//! One module, two ways to run it: translated, signed, verified and run as a
//! device does it, and by Wasmtime as machine code of this computer. What comes
//! out must be the same.
//!
//! A module gets calls of its exports ([`calls`]), a capsule around it that
//! makes them ([`wrap`]), an envelope and a run ([`device`]), and the same
//! calls made by hand ([`Oracle`]). Tests take modules from the program
//! `smith` ([`crate::smith`]); the fuzzer gives [`differential`] bytes and the
//! same program's library.
//!
//! # What "the same" means
//!
//! - What a module's functions return, its globals, the sizes of its tables and
//!   memory, and a hash of its memory, bit for bit. Of a NaN only that it is
//!   one: modules are generated such that no NaN's payload gets into memory.
//! - A trap is the same trap, while starting or while running. Growth of
//!   memory or tables that was refused in one is refused in the other, and a
//!   trap after it is "out of memory" to a device.
//! - Fuel and stack are compared loosely, because the capsule around a module
//!   costs some, too: a device may run out of either where the oracle did not,
//!   but of fuel only when the oracle came close to it. What exhausts the
//!   oracle exhausts a device.

use arbitrary::Unstructured;
use signer::Error;
use wasmtime::Trap;

use crate::oracle::Oracle;
use crate::{calls, device, wrap};

/// Fuel for one run on either side.
pub const FUEL: u64 = 1_000_000;

/// The most fuel that the capsule around a module takes for itself, hashing a
/// full memory included.
pub const FUEL_OF_WRAPPING: u64 = 450_000;

/// Linear memory that a module can grow to, in bytes. What smith makes starts
/// with as much at most.
pub const MEMORY: usize = 128 * 1024;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ended: results and state, as [`calls`] writes them.
    Output(Vec<u8>),
    /// It trapped.
    Trap(Trap),
    /// It trapped after it was refused memory or elements of a table.
    Refused,
    /// It ran out of fuel.
    OutOfFuel,
    /// It ran out of stack.
    OutOfStack,
    /// One of these happened before it was called.
    InStart(Box<Outcome>),
}

/// What became of one module.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Modules that the signer refused, as it should.
    pub refused: u32,
    /// Modules that were translated and run.
    pub run: u32,
    /// Runs with the same output.
    pub outputs: u32,
    /// Runs that trapped alike.
    pub traps: Vec<(Trap, u32)>,
    /// Runs that trapped alike after growth was refused.
    pub growth: u32,
    /// Runs that exhausted both.
    pub exhausted: u32,
    /// Runs that exhausted the device alone, which tell nothing.
    pub inconclusive: u32,
}

impl Tally {
    /// Counts what another one counted.
    pub fn add(&mut self, other: &Self) {
        self.refused += other.refused;
        self.run += other.run;
        self.outputs += other.outputs;
        self.growth += other.growth;
        self.exhausted += other.exhausted;
        self.inconclusive += other.inconclusive;
        for (trap, count) in &other.traps {
            self.trapped(*trap, *count);
        }
    }

    /// Counts so many runs that trapped alike.
    pub fn trapped(&mut self, trap: Trap, count: u32) {
        match self.traps.iter_mut().find(|(known, _)| *known == trap) {
            Some((_, total)) => *total += count,
            None => self.traps.push((trap, count)),
        }
    }

    /// The runs that trapped like this.
    #[must_use]
    pub fn traps_of(&self, trap: Trap) -> u32 {
        let found = self.traps.iter().find(|(known, _)| *known == trap);
        found.map_or(0, |(_, count)| *count)
    }
}

/// Makes a module of `bytes`, calls of the rest, and runs them both ways. The
/// same bytes do the same.
///
/// # Errors
///
/// The difference, in words. Fewer bytes than a module takes are no error.
pub fn differential(
    bytes: &[u8],
    module: impl FnOnce(&mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>>,
) -> Result<Tally, String> {
    let mut source = Unstructured::new(bytes);
    match module(&mut source) {
        Ok(wasm) => compare(&wasm, &mut source),
        Err(_) => Ok(Tally::default()),
    }
}

/// Runs a module both ways.
///
/// # Errors
///
/// The difference, in words.
pub fn compare(wasm: &[u8], source: &mut Unstructured<'_>) -> Result<Tally, String> {
    let oracle = match Oracle::compile(wasm) {
        Ok(oracle) => oracle,
        Err(reason) => {
            refused(wasm, &reason)?;
            return Ok(Tally {
                refused: 1,
                ..Tally::default()
            });
        }
    };
    compare_with(wasm, &oracle, source)
}

/// Runs a module as a device does, and compares it with what may be another
/// one that has the same exports.
///
/// # Errors
///
/// The difference, in words.
pub fn compare_with(
    wasm: &[u8],
    oracle: &Oracle,
    source: &mut Unstructured<'_>,
) -> Result<Tally, String> {
    let mut tally = Tally {
        run: 1,
        ..Tally::default()
    };
    let exports = oracle.exports();
    let component = wrap::component(wasm, &exports, oracle.imports());
    let signed = device::sign(&component)
        .map_err(|error| format!("the signer refuses what Wasmtime takes: {error}"))?;
    // Of some: it is reproducible, too.
    if wasm.len().is_multiple_of(32) {
        device::reproduce(&signed, &component)?;
    }
    for run in calls::runs(&exports, source) {
        let ours = device::run(&signed, &calls::encode(&run))?;
        let (theirs, fuel) = oracle.run(&run)?;
        judge(&mut tally, &ours, &theirs, fuel)
            .map_err(|difference| format!("{difference}\nin the calls {run:?}"))?;
    }
    Ok(tally)
}

/// Damages the capsule around a module in a few places, and runs what the
/// signer still takes; says whether it did. That it comes back is all that is
/// asked.
pub fn damaged(wasm: &[u8], source: &mut Unstructured<'_>) -> arbitrary::Result<bool> {
    let Ok(oracle) = Oracle::compile(wasm) else {
        return Ok(false);
    };
    let exports = oracle.exports();
    let mut component = wrap::component(wasm, &exports, oracle.imports());
    for _ in 0..source.int_in_range(1..=3)? {
        // Mostly in the module itself, which comes first.
        let end = match source.ratio(3, 4)? {
            true => wasm.len().min(component.len()),
            false => component.len(),
        };
        let place = source.int_in_range(8..=end - 1)?;
        component[place] ^= source.int_in_range(1..=255)?;
    }
    let Ok(signed) = device::sign(&component) else {
        return Ok(false);
    };
    for run in calls::runs(&exports, source) {
        let _ = device::run(&signed, &calls::encode(&run));
    }
    Ok(true)
}

/// What Wasmtime does not compile under the engine profile, the signer
/// refuses: as a module, and in a capsule. It says the same of both.
fn refused(wasm: &[u8], reason: &str) -> Result<(), String> {
    for (what, input) in [("module", wasm.to_vec()), ("capsule", wrap::beside(wasm))] {
        match device::sign(&input) {
            Err(Error::InvalidWasm(said)) if !said.is_empty() => {}
            Err(other) => {
                return Err(format!(
                    "the signer refuses the {what} with {other}; Wasmtime said {reason}"
                ));
            }
            Ok(_) => {
                return Err(format!(
                    "the signer takes the {what}; Wasmtime said {reason}"
                ));
            }
        }
    }
    Ok(())
}

/// Compares two outcomes; `fuel` is what the oracle used.
fn judge(tally: &mut Tally, ours: &Outcome, theirs: &Outcome, fuel: u64) -> Result<(), String> {
    use Outcome::{InStart, OutOfFuel, OutOfStack, Output, Refused, Trap};

    let differs = || {
        Err(format!(
            "the device: {ours:?}\nthe oracle: {theirs:?}, with {fuel} fuel"
        ))
    };
    match (ours, theirs) {
        (InStart(ours), InStart(theirs)) => return judge(tally, ours, theirs, fuel),
        // A module that takes long to start may end later on one side.
        (InStart(ours), theirs) if matches!(**ours, OutOfFuel | OutOfStack) => {
            return judge(tally, ours, theirs, fuel);
        }
        (Output(one), Output(other)) if one == other => tally.outputs += 1,
        (Trap(one), Trap(other)) if one == other => tally.trapped(*one, 1),
        (Refused, Refused) => tally.growth += 1,
        (OutOfFuel | OutOfStack, OutOfFuel | OutOfStack | InStart(_)) => tally.exhausted += 1,
        (OutOfStack, _) => tally.inconclusive += 1,
        (OutOfFuel, _) if fuel + FUEL_OF_WRAPPING >= FUEL => tally.inconclusive += 1,
        _ => return differs(),
    }
    Ok(())
}
