//! What is counted: one recording for each row of the table.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use fuzz_harness::promise::{anchor, fake_key, spec};
use sealift_engine::Target;
use sealift_manifest::{PublicKey, build_envelope};
use sealift_oscore::coap::{Code, Message};

use crate::peer::Recorder;
use crate::steps::{Event, Step, Subject};
use crate::unit::{People, Unit};

/// Block sizes, as exponents of the Block options: 64 to 1024 bytes.
const SIZES: [u8; 5] = [2, 3, 4, 5, 6];
/// Payload bytes that are counted at each block size: eight erase pages, and with
/// them what the store does once for each page.
const WINDOW: usize = 32 * 1024;
/// A payload that is longer than that, so that it is not complete then.
const PAYLOAD: usize = 40_000;
/// How often what is short happens.
const OFTEN: u32 = 10;

const ENVELOPE: &str = "vm-control/vm1";
const PAYLOAD_PATH: &str = "vm-control/vm1/payload";

/// The capsules of the paper's evaluation (arXiv 2604.27570), and what each is asked
/// for: a resource, or a function with its argument.
const EVALUATION: [(&str, Asked); 4] = [
    ("eval-ephemeral", Asked::Job(b"fibonacci 20")),
    ("eval-ephemeral-bindings", Asked::Job(b"")),
    ("eval-persistent", Asked::Resource("vm1/fibo_twenty")),
    (
        "eval-persistent-bindings",
        Asked::Resource("vm1/temperature_sensor"),
    ),
];

enum Asked {
    Resource(&'static str),
    Job(&'static [u8]),
}

/// One row of the table.
pub struct Case {
    /// Name of its file.
    pub name: String,
    /// What is counted.
    pub what: String,
    /// How often that happens.
    pub times: u32,
    /// The recording.
    pub steps: Vec<Step>,
    /// What the device sent at each step.
    pub sent: Vec<Vec<u8>>,
    /// The instructions of what is counted, where the device counts them.
    pub instructions: u64,
    /// The payload of the last response in a session.
    pub answer: Vec<u8>,
}

/// Where new devices come from.
pub type Factory = Box<dyn Fn() -> Result<Box<dyn Subject>>>;

/// What the translator has signed, and for what.
pub struct Signed {
    folder: PathBuf,
    target: Target,
    devices: Factory,
    key: PublicKey,
    /// The envelope of `thermometer`, with its payload.
    capsule: Vec<u8>,
    /// Those of the paper's four cases, in the order of [`EVALUATION`].
    evaluation: Vec<Vec<u8>>,
}

impl Signed {
    /// Reads `translator.pub`, `active.suit`, and `eval-...suit`, for devices in
    /// memory.
    ///
    /// # Errors
    /// Where they are not there.
    pub fn read(folder: &Path) -> Result<Self> {
        let unit = || Ok(Box::new(Unit::new(People::new()?)) as Box<dyn Subject>);
        Self::read_for(sealift_engine::HOST, Box::new(unit), folder)
    }

    /// The same for other devices, and what their capsules are translated for.
    ///
    /// # Errors
    /// Where they are not there.
    pub fn read_for(target: Target, devices: Factory, folder: &Path) -> Result<Self> {
        let file = |name: &str| read(folder, name);
        let key = String::from_utf8(file("translator.pub")?)?;
        let key = ed25519_compact::PublicKey::from_pem(&key).map_err(|error| anyhow!("{error}"))?;
        Ok(Self {
            folder: folder.to_owned(),
            target,
            devices,
            key: PublicKey::from_bytes(&key)?,
            capsule: file("active.suit")?,
            evaluation: EVALUATION
                .iter()
                .map(|(name, _)| file(&format!("{name}.suit")))
                .collect::<Result<_>>()?,
        })
    }

    /// A device that trusts these keys.
    pub(crate) fn recorder(&self, trust: &[PublicKey]) -> Result<Recorder> {
        Recorder::new((self.devices)()?, trust)
    }

    /// A signed file.
    pub(crate) fn file(&self, name: &str) -> Result<Vec<u8>> {
        read(&self.folder, name)
    }
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// All rows, in their order.
///
/// # Errors
/// Where a device does not do what it should.
pub fn all(signed: &Signed) -> Result<Vec<Case>> {
    let mut cases = vec![
        exchange(signed)?,
        first_message(signed)?,
        status(signed)?,
        again(signed)?,
        envelope(signed)?,
    ];
    for szx in SIZES.into_iter().rev() {
        cases.push(blocks(signed, szx)?);
    }
    cases.extend([
        last_block(signed)?,
        start(signed)?,
        call(
            "call",
            "thermometer",
            signed,
            &signed.capsule,
            "vm1/temperature",
        )?,
    ]);
    for ((name, asked), envelope) in EVALUATION.iter().zip(&signed.evaluation) {
        cases.push(match asked {
            Asked::Resource(path) => call(name, name, signed, envelope, path)?,
            Asked::Job(input) => job(name, signed, envelope, input)?,
        });
    }
    cases.extend([
        under_pressure(signed)?,
        forged(signed)?,
        unprotected(signed)?,
    ]);
    Ok(cases)
}

pub(crate) fn case(name: &str, what: &str, times: u32, recorder: Recorder) -> Case {
    Case {
        name: name.into(),
        what: what.into(),
        times,
        steps: recorder.steps,
        sent: recorder.sent,
        instructions: recorder.instructions,
        answer: recorder.answer,
    }
}

fn exchange(signed: &Signed) -> Result<Case> {
    let mut recorder = signed.recorder(&[])?;
    recorder.counted = true;
    for _ in 0..4 {
        recorder.connect()?;
        recorder.ask(Code::GET, "vm-control", None, Code::CONTENT)?;
    }
    let what = "key exchange and a first request";
    Ok(case("exchange", what, 4, recorder))
}

fn first_message(signed: &Signed) -> Result<Case> {
    let mut recorder = signed.recorder(&[])?;
    let (_, message_1) = recorder.message_1()?;
    recorder.counted = true;
    let (code, _) = recorder.post(1, &message_1)?;
    ensure!(code == Code::CHANGED, "{code}");
    Ok(case("message-1", "message_1 of it", 1, recorder))
}

fn status(signed: &Signed) -> Result<Case> {
    let mut recorder = signed.recorder(&[])?;
    recorder.connect()?;
    recorder.counted = true;
    for _ in 0..OFTEN {
        recorder.ask(Code::GET, "vm-control", None, Code::CONTENT)?;
    }
    Ok(case("status", "status request", OFTEN, recorder))
}

fn again(signed: &Signed) -> Result<Case> {
    let mut recorder = signed.recorder(&[])?;
    recorder.connect()?;
    let request = recorder.ask(Code::GET, "vm-control", None, Code::CONTENT)?;
    recorder.counted = true;
    for _ in 0..OFTEN {
        let same = recorder.send(1, &request)?;
        ensure!(!same.is_empty(), "no answer");
    }
    let what = "the same request again, answered from memory";
    Ok(case("again", what, OFTEN, recorder))
}

fn envelope(signed: &Signed) -> Result<Case> {
    let head = promise(signed.target)?;
    let mut recorder = signed.recorder(&[anchor()])?;
    recorder.connect()?;
    recorder.counted = true;
    recorder.block(Code::PUT, ENVELOPE, &head, 0, 6, Code::CHANGED)?;
    let what = "envelope, with its signature verified";
    Ok(case("envelope", what, 1, recorder))
}

/// A device that waits for a payload.
fn promised(signed: &Signed) -> Result<Recorder> {
    let mut recorder = signed.recorder(&[anchor()])?;
    recorder.connect()?;
    let head = promise(signed.target)?;
    recorder.block(Code::PUT, ENVELOPE, &head, 0, 6, Code::CHANGED)?;
    Ok(recorder)
}

/// Blocks of a payload.
fn blocks(signed: &Signed, szx: u8) -> Result<Case> {
    let mut recorder = promised(signed)?;
    let payload = [0x7f; PAYLOAD];
    let size = 16 << szx;
    let send = |recorder: &mut Recorder, num| {
        recorder.block(Code::PUT, PAYLOAD_PATH, &payload, num, szx, Code::CHANGED)
    };
    send(&mut recorder, 0)?;
    recorder.counted = true;
    let count = WINDOW / size;
    for num in 1..=count {
        send(&mut recorder, num)?;
    }
    let what = format!("payload block of {size} bytes, written to flash");
    let name = format!("block-{size}");
    Ok(case(&name, &what, u32::try_from(count)?, recorder))
}

/// Installs the capsule, and counts its last block.
fn last_block(signed: &Signed) -> Result<Case> {
    let recorder = installed(signed, &signed.capsule, true)?;
    let what = "last block: payload verified, activated, started";
    Ok(case("last-block", what, 1, recorder))
}

fn start(signed: &Signed) -> Result<Case> {
    let mut recorder = installed(signed, &signed.capsule, false)?;
    recorder.counted = true;
    recorder.boot()?;
    let what = "start of the device: verified again, started";
    Ok(case("start", what, 1, recorder))
}

fn call(file: &str, name: &str, signed: &Signed, envelope: &[u8], path: &str) -> Result<Case> {
    let mut recorder = installed(signed, envelope, false)?;
    // The first one makes the fiber that the capsule runs on.
    recorder.ask(Code::GET, path, None, Code::CONTENT)?;
    recorder.counted = true;
    for _ in 0..OFTEN {
        recorder.ask(Code::GET, path, None, Code::CONTENT)?;
    }
    let what = format!("request handled by `{name}`");
    Ok(case(file, &what, OFTEN, recorder))
}

/// The last block of an ephemeral capsule and its input: it runs, and is forgotten.
pub(crate) fn job(name: &str, signed: &Signed, envelope: &[u8], input: &[u8]) -> Result<Case> {
    let mut recorder = signed.recorder(core::slice::from_ref(&signed.key))?;
    recorder.connect()?;
    let body = [envelope, input].concat();
    let count = body.len().div_ceil(1024);
    for num in 0..count {
        recorder.counted = num + 1 == count;
        recorder.block(Code::POST, "vm-run", &body, num, 6, Code::CHANGED)?;
    }
    let what = format!("last block of `{name}`: verified, started, run");
    Ok(case(name, &what, 1, recorder))
}

fn under_pressure(signed: &Signed) -> Result<Case> {
    let mut recorder = signed.recorder(&[])?;
    let begin = |recorder: &mut Recorder, host| {
        let (_, message_1) = recorder.message_1()?;
        recorder.post(host, &message_1).map(|(code, _)| code)
    };
    // Half of the places.
    for host in [11, 12] {
        ensure!(begin(&mut recorder, host)? == Code::CHANGED, "refused");
    }
    recorder.counted = true;
    for host in (13..).take(OFTEN as usize) {
        let code = begin(&mut recorder, host)?;
        ensure!(code == Code::UNAUTHORIZED, "not asked for an Echo: {code}");
    }
    let what = "message_1 under pressure: asked for an Echo";
    Ok(case("pressure", what, OFTEN, recorder))
}

fn forged(signed: &Signed) -> Result<Case> {
    let mut recorder = promised(signed)?;
    // A genuine block that did not arrive, but a damaged one.
    let mut thief = promised(signed)?;
    thief.block(
        Code::PUT,
        PAYLOAD_PATH,
        &[0x7f; PAYLOAD],
        0,
        6,
        Code::CHANGED,
    )?;
    let stolen = thief.steps.pop().context("nothing was sent")?;
    let Event::Datagram { host, mut bytes } = stolen.event else {
        bail!("not a datagram");
    };
    let genuine = *bytes.last().context("empty")?;
    recorder.counted = true;
    for round in 1..=OFTEN {
        let tag = bytes.last_mut().context("empty")?;
        *tag = genuine ^ u8::try_from(round)?;
        let refused = recorder.send(host, &bytes)?;
        ensure!(Message::parse(&refused)?.code == Code::BAD_REQUEST, "taken");
    }
    let what = "forged block of 1024 bytes";
    Ok(case("forged", what, OFTEN, recorder))
}

fn unprotected(signed: &Signed) -> Result<Case> {
    let mut recorder = signed.recorder(&[])?;
    recorder.counted = true;
    for mid in 0..u8::try_from(OFTEN)? {
        // GET /vm-control without protection.
        let request = [&[0x40, 1, 0, mid, 0xba][..], b"vm-control"].concat();
        let refused = recorder.send(9, &request)?;
        ensure!(
            Message::parse(&refused)?.code == Code::UNAUTHORIZED,
            "taken"
        );
    }
    let what = "request without protection";
    Ok(case("unprotected", what, OFTEN, recorder))
}

/// A device with the capsule; `last` is whether its last block counts.
fn installed(signed: &Signed, envelope: &[u8], last: bool) -> Result<Recorder> {
    let mut recorder = signed.recorder(core::slice::from_ref(&signed.key))?;
    recorder.connect()?;
    let count = envelope.len().div_ceil(1024);
    for num in 0..count {
        recorder.counted = last && num + 1 == count;
        recorder.block(Code::PUT, ENVELOPE, envelope, num, 6, Code::CHANGED)?;
    }
    recorder.counted = false;
    if !last {
        recorder.ask(Code::POST, "vm-control/vm1/confirm", None, Code::CHANGED)?;
    }
    Ok(recorder)
}

/// A detached envelope for a payload that nobody has: what a signature under a
/// payload says is that a translator made it.
pub(crate) fn promise(target: Target) -> Result<Vec<u8>> {
    let mut spec = spec("vm1", 1, &[0; PAYLOAD]);
    spec.invoke.profile = target.profile().into();
    Ok(build_envelope(&spec, &[&fake_key()], None, None)?)
}
