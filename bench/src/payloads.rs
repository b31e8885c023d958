//! The paper's four evaluation cases: bytes at each stage, heap and fuel.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use sealift_core::capsule::{
    Accuracy, Ephemeral, Host, Label, Persistent, Quota, Reading, Unavailable, Unit,
};
use sealift_core::capsule::{ArtifactBytes, Category};
use sealift_engine::Target;
use sealift_manifest::{Grants, Manifest, Payload, PublicKey, Scan, Sign, Verified};
use sealift_manifest::{scan_head, verify};
use signer::{Key, Kind, SignRequest, Signed, Step, payload_without, sign};

use crate::heap;

/// A case of the paper (arXiv 2604.27570).
struct Case {
    /// The name of the capsule that does the same.
    name: &'static str,
    kind: Kind,
    grants: Grants,
    /// What the paper's payload has, in kB.
    paper: &'static str,
    /// The input of a job, or options and payload of a request.
    input: &'static [u8],
}

const CASES: [Case; 4] = [
    Case {
        name: "eval-ephemeral",
        kind: Kind::Ephemeral,
        grants: Grants::NONE,
        paper: "9.6",
        input: b"fibonacci 20",
    },
    Case {
        name: "eval-ephemeral-bindings",
        kind: Kind::Ephemeral,
        grants: BINDINGS,
        paper: "28.8",
        input: b"",
    },
    Case {
        name: "eval-persistent",
        kind: Kind::Persistent,
        grants: Grants::NONE,
        paper: "34.5",
        input: b"\xbbfibo_twenty",
    },
    Case {
        name: "eval-persistent-bindings",
        kind: Kind::Persistent,
        grants: BINDINGS,
        paper: "43.2",
        input: b"\xbd\x05temperature_sensor",
    },
];

const BINDINGS: Grants = Grants::LOG.union(Grants::RNG).union(Grants::SENSORS);

/// The case whose steps are counted.
const LARGEST: &str = "eval-persistent-bindings";

/// CoAP's code of a GET.
const GET: u8 = 1;

/// A capsule of `folder`.
fn wasm(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).with_context(|| format!("{}: see `cargo xtask capsules`", path.display()))
}

/// A FAKE key. Everybody can make signatures with it.
fn key() -> Result<Key> {
    Key::from_seed(&[1; 32]).context("a seed")
}

impl Case {
    fn sign(&self, wasm: &[u8], key: &Key, target: Target) -> Result<Signed> {
        let component = match self.kind {
            Kind::Persistent => "vm1",
            Kind::Ephemeral => "vm-run",
        };
        let request = SignRequest {
            target,
            kind: self.kind,
            grants: self.grants,
            detached: true,
            ..SignRequest::new(wasm, key, component, 1)
        };
        Ok(sign(&request)?)
    }

    /// Runs it on this machine.
    fn run(&self, wasm: &[u8], key: &Key) -> Result<Run> {
        let signed = self.sign(wasm, key, sealift_engine::HOST)?;
        let Scan::Complete { head_len, .. } = scan_head(&signed.envelope)? else {
            return Err(anyhow!("an envelope without an end"));
        };
        let anchor = PublicKey::from_bytes(&key.public_key())?;
        let head = signed.envelope.get(..head_len).unwrap_or_default();
        let manifest = verify(head, &[anchor])?;
        let payload = signed.payload.unwrap_or_default();
        // Once unmeasured, for what is made once in a process.
        self.measure(&manifest, &payload)?;
        self.measure(&manifest, &payload)
    }

    fn measure(&self, manifest: &Verified<Manifest<'_>>, payload: &[u8]) -> Result<Run> {
        let bytes = ArtifactBytes::copy(payload).context("no memory")?;
        let payload: Verified<Payload<ArtifactBytes>> = manifest.admit(bytes)?;
        let fault = |e: sealift_core::capsule::Fault| anyhow!("{e}");
        let quota = Quota::default();
        // The payload is there by now, and so not counted.
        let before = heap::in_use();
        let over = |bytes: usize| bytes.saturating_sub(before);
        match self.kind {
            Kind::Ephemeral => {
                let (output, peak) = heap::peak(|| {
                    Ephemeral::run(manifest, payload, Board, &quota, self.input)?.finish()
                });
                output.map_err(fault)?;
                Ok(Run {
                    idle: None,
                    peak: over(peak),
                    fuel: None,
                })
            }
            Kind::Persistent => {
                let started = Persistent::start(manifest, payload, Board, &quota).map_err(fault)?;
                let call = |capsule: Persistent<Board>| {
                    let called = capsule.call(GET, self.input).map_err(|(_, e)| fault(e))?;
                    let called = called.finish();
                    called.answer.map_err(fault)?;
                    anyhow::Ok(called.capsule)
                };
                // The first call makes the stack that stays.
                let capsule = call(started.finish().map_err(fault)?)?;
                let idle = heap::in_use();
                let (capsule, peak) = heap::peak(|| call(capsule));
                Ok(Run {
                    idle: Some(over(idle)),
                    peak: over(peak),
                    fuel: Some(capsule?.usage().fuel_last),
                })
            }
        }
    }
}

/// What a run on this machine took.
struct Run {
    /// Heap of a capsule that waits, without its payload.
    idle: Option<usize>,
    /// The most of it in a call, or in the whole of a job.
    peak: usize,
    /// Fuel of a call.
    fuel: Option<u64>,
}

/// A case, the length of its Wasm, and what came of it.
type Column<'c> = (&'c Case, usize, Signed, Run);

/// The table of the four cases, in Markdown; `folder` has the built capsules.
///
/// # Errors
///
/// Where one is not there, or does not do what it should.
pub fn cases(folder: &Path) -> Result<String> {
    let key = key()?;
    let mut columns = Vec::new();
    for case in &CASES {
        let wasm = wasm(folder, case.name)?;
        let signed = case.sign(&wasm, &key, Target::Pulley32)?;
        columns.push((case, wasm.len(), signed, case.run(&wasm, &key)?));
    }
    let mut table = String::from("| |");
    for (case, ..) in &columns {
        table += &format!(" `{}` |", case.name);
    }
    table += "\n|---|--:|--:|--:|--:|\n";
    let mut row = |name: &str, value: &dyn Fn(&Column<'_>) -> String| {
        table += &format!("| {name} |");
        for column in &columns {
            table += &format!(" {} |", value(column));
        }
        table += "\n";
    };
    let or_none = |value: Option<u64>| value.map_or("–".into(), |value| value.to_string());
    row("Wasm, bytes", &|(_, wasm, ..)| wasm.to_string());
    row("payload, bytes", &|(_, _, signed, _)| {
        signed.sizes.payload.to_string()
    });
    row("envelope without the payload, bytes", &|(
        _,
        _,
        signed,
        _,
    )| {
        signed.envelope.len().to_string()
    });
    row("the paper's payload, kB", &|(case, ..)| case.paper.into());
    row("fuel of a call", &|(.., run)| or_none(run.fuel));
    let kib = |bytes: usize| format!("{}", bytes.div_ceil(1024));
    row("heap while it waits, KiB", &|(.., run)| {
        run.idle.map_or("–".into(), kib)
    });
    row("heap at most, KiB", &|(.., run)| kib(run.peak));
    Ok(table)
}

/// The table of the steps, in Markdown.
///
/// # Errors
///
/// Where the capsule is not there.
pub fn steps(folder: &Path) -> Result<String> {
    let wasm = wasm(folder, LARGEST)?;
    let length = |step| payload_without(step, &wasm, Target::Pulley32);
    let whole = length(None)?;
    let mut table = format!(
        "| `{LARGEST}` | payload, bytes | the step is worth |\n|---|--:|--:|\n\
         | as it is | {whole} | |\n"
    );
    for (name, step) in [
        ("without metering", Step::Metering),
        ("without Cranelift's optimiser", Step::Optimiser),
        ("with names inside of the component", Step::Names),
        ("with Cranelift's settings", Step::Settings),
        ("with the table of exception handlers", Step::Handlers),
        ("with the rest of the ELF file", Step::Strip),
    ] {
        let without = length(Some(step))?;
        let worth = i128::try_from(without)? - i128::try_from(whole)?;
        table += &format!("| {name} | {without} | {worth} |\n");
    }
    Ok(table)
}

/// A board with one sensor, as far as these capsules look.
#[derive(Clone)]
struct Board;

impl Host for Board {
    fn log(&mut self, _: &str, _: &str) {}

    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable> {
        bytes.fill(4);
        Ok(())
    }

    fn now_ms(&mut self) -> u64 {
        0
    }

    fn read_sensors(&mut self, _: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        Ok(vec![Reading {
            value: 2157,
            scaling: -2,
            unit: Unit::Celsius,
            label: Label::Temperature,
            accuracy: Accuracy::Unknown,
        }])
    }
}
