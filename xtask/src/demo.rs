//! `cargo xtask demo`: the main job, with the real programs, step by step.
//! It fails at the first step that did not do what it says.

use std::fs;

use anyhow::{Context, Result, ensure};
use testbed::{Board, Device, Sign, Workshop};

use crate::run::say;
use crate::{build, image};

/// Where the answers of the two thermometers differ.
const FAHRENHEIT: &str = "\u{b0}F";
const V1: bool = false;
const V2: bool = true;
const TEMPERATURE: &str = "/vm1/temperature";

/// Builds what it needs, then the whole demo.
pub(crate) fn demo(board: Board) -> Result<()> {
    build::everything()?;
    image::build(board)?;
    run(board)
}

/// The whole demo, with what is built.
pub(crate) fn run(board: Board) -> Result<()> {
    say(&format!("the demo, on the board {}", board.name()));
    let mut demo = Demo {
        workshop: Workshop::for_board(board)?,
        steps: 0,
    };
    demo.keys()?;
    demo.signed_capsules()?;
    let device = demo.workshop.device()?;
    demo.step(&format!(
        "started a device with an empty flash, at {}",
        device.url()
    ));
    demo.first_install(&device)?;
    demo.interrupted_update(&device)?;
    demo.crash(&device)?;
    demo.rollback(&device)?;
    demo.refusals(&device)?;
    let device = demo.power_cut(device)?;
    demo.ephemeral(&device)?;
    println!("\nAll {} steps did what they say.", demo.steps);
    Ok(())
}

/// The number in `text` that follows these words.
fn number_after(text: &str, words: &str) -> Result<u64> {
    let (_, rest) = text
        .split_once(words)
        .with_context(|| format!("expected {words:?} in: {text}"))?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
    digits
        .and_then(|digits| digits.parse().ok())
        .with_context(|| format!("expected a number after {words:?} in: {text}"))
}

struct Demo {
    workshop: Workshop,
    steps: usize,
}

impl Demo {
    fn step(&mut self, text: &str) {
        self.steps += 1;
        println!("{:>3}. {text}", self.steps);
    }

    fn note(text: &str) {
        for line in text.trim().lines() {
            println!("       {line}");
        }
    }

    fn op(&self, device: &Device, args: &[&str]) -> Result<String> {
        Ok(self.workshop.updater(device, "op", args)?.success()?.stdout)
    }

    fn refused(&self, device: &Device, credential: &str, args: &[&str]) -> Result<String> {
        let outcome = self.workshop.updater(device, credential, args)?;
        Ok(outcome.refusal()?.to_owned())
    }

    /// Asks the capsule and checks that it is the version expected.
    fn answers(&self, device: &Device, version: bool) -> Result<()> {
        let answer = self
            .workshop
            .updater(device, "app", &["call", "GET", TEMPERATURE])?
            .success()?
            .stdout;
        Self::note(&format!("GET {TEMPERATURE} -> {}", answer.trim()));
        ensure!(
            answer.contains(FAHRENHEIT) == version,
            "the other version answered"
        );
        Ok(())
    }

    fn keys(&mut self) -> Result<()> {
        self.workshop.translator_key("translator")?;
        self.workshop.translator_key("other")?;
        for name in ["op", "app", "stranger"] {
            self.workshop.credential(name)?;
        }
        self.step("made a translator key, and credentials for an operator (op), an application (app) and a stranger");
        Ok(())
    }

    fn signed_capsules(&mut self) -> Result<()> {
        let envelopes: [(&str, Sign<'_>); 6] = [
            ("v1.suit", Sign::default()),
            (
                "v2.suit",
                Sign {
                    capsule: "thermometer-v2",
                    sequence: 2,
                    extra: &["--detached"],
                    ..Sign::default()
                },
            ),
            (
                "crash.suit",
                Sign {
                    capsule: "crasher",
                    sequence: 3,
                    grants: &["log"],
                    ..Sign::default()
                },
            ),
            (
                "v4.suit",
                Sign {
                    sequence: 4,
                    ..Sign::default()
                },
            ),
            (
                "fuel.suit",
                Sign {
                    sequence: 9,
                    extra: &["--fuel", "1000007", "--detached"],
                    ..Sign::default()
                },
            ),
            (
                "other.suit",
                Sign {
                    key: "other",
                    sequence: 9,
                    ..Sign::default()
                },
            ),
        ];
        for (out, sign) in &envelopes {
            self.workshop.sign(out, sign)?.success()?;
        }
        let wasm = fs::metadata(self.workshop.wasm("thermometer"))?.len();
        let payload = fs::metadata(self.workshop.path("v2.suit.payload"))?.len();
        self.step("translated and signed the example capsules with the offline signer");
        Self::note(&format!(
            "thermometer: {wasm} bytes of Wasm, about {payload} bytes of Pulley bytecode"
        ));
        Ok(())
    }

    fn first_install(&mut self, device: &Device) -> Result<()> {
        let said = self.op(device, &["push", "v1.suit"])?;
        self.step("pushed version 1 over UDP with EDHOC and OSCORE; it runs as a trial");
        Self::note(&said);
        self.answers(device, V1)?;
        self.op(device, &["confirm", "vm1"])?;
        self.step("confirmed it");
        Self::note(&self.op(device, &["status"])?);
        Ok(())
    }

    fn interrupted_update(&mut self, device: &Device) -> Result<()> {
        let size = fs::metadata(self.workshop.path("v2.suit.payload"))?.len();
        let half = (size / 2).to_string();
        let stop = [
            "push",
            "v2.suit",
            "--block-size",
            "256",
            "--stop-after",
            &half,
        ];
        let said = self.refused(device, "op", &stop)?;
        self.step("pushed version 2 and broke the transfer off half way");
        Self::note(&said);
        self.answers(device, V1)?;
        let said = self.op(device, &["push", "v2.suit", "--block-size", "256"])?;
        let resumed = number_after(&said, "resuming at ")?;
        let sent = number_after(&said, "sent ")?;
        // Whole blocks only, so the one that was broken off may come again.
        ensure!(
            resumed + 256 >= size / 2 && resumed + sent <= size + 256,
            "the push sent again what was there: {said}"
        );
        self.step("pushed it again: it went on where it stood, and runs");
        Self::note(&said);
        self.answers(device, V2)?;
        self.op(device, &["confirm", "vm1"])?;
        Ok(())
    }

    fn crash(&mut self, device: &Device) -> Result<()> {
        self.op(device, &["push", "crash.suit"])?;
        self.step("pushed a capsule that crashes when it is called, and called it");
        for _ in 0..3 {
            let said = self.refused(device, "app", &["call", "GET", "/vm1/crash"])?;
            Self::note(&said);
            ensure!(said.contains("trapped"), "it did not crash");
        }
        self.step("the device gave the crashing capsule up and went back by itself");
        self.answers(device, V2)
    }

    fn rollback(&mut self, device: &Device) -> Result<()> {
        self.op(device, &["push", "v4.suit"])?;
        self.op(device, &["confirm", "vm1"])?;
        self.step("pushed and confirmed version 1 again, with sequence number 4");
        self.answers(device, V1)?;
        let said = self.op(device, &["rollback", "vm1"])?;
        self.step("rolled back by command, to sequence number 2");
        Self::note(&said);
        self.answers(device, V2)
    }

    fn refusals(&mut self, device: &Device) -> Result<()> {
        let mut envelope = fs::read(self.workshop.path("fuel.suit"))?;
        let fuel = 1_000_007_u32.to_be_bytes();
        let at = envelope
            .windows(4)
            .position(|window| window == fuel)
            .context("no fuel limit in the envelope")?;
        envelope[at..at + 4].copy_from_slice(&2_000_007_u32.to_be_bytes());
        fs::write(self.workshop.path("tampered.suit"), &envelope)?;
        fs::copy(
            self.workshop.path("fuel.suit.payload"),
            self.workshop.path("tampered.suit.payload"),
        )?;

        let raw = "@v2.suit.payload";
        let cases: [(&str, &str, &[&str], &str); 6] = [
            (
                "an envelope whose fuel limit was raised after signing",
                "op",
                &["push", "tampered.suit"],
                "altered",
            ),
            (
                "an older sequence number",
                "op",
                &["push", "v1.suit"],
                "sequence number",
            ),
            (
                "a capsule signed with a key that the device does not trust",
                "op",
                &["push", "other.suit"],
                "trusted",
            ),
            (
                "unsigned bytecode instead of an envelope",
                "op",
                &["call", "PUT", "/vm-control/vm1", "--payload", raw],
                "envelope",
            ),
            (
                "unsigned bytecode as a payload, without an envelope",
                "op",
                &["call", "PUT", "/vm-control/vm1/payload", "--payload", raw],
                "no transfer",
            ),
            (
                "a stranger's credential",
                "stranger",
                &["push", "v4.suit"],
                "credential",
            ),
        ];
        self.step("each of these is refused, for its own reason:");
        for (what, credential, args, reason) in cases {
            let said = self.refused(device, credential, args)?;
            Self::note(&format!("{what}:\n    {said}"));
            ensure!(said.contains(reason), "expected a reason with {reason:?}");
        }
        self.answers(device, V2)
    }

    fn power_cut(&mut self, device: Device) -> Result<Device> {
        let before = self.op(&device, &["status", "vm1"])?;
        let device = device.restart()?;
        let after = self.op(&device, &["status", "vm1"])?;
        // The table; below it is what changes with each start.
        let table = |text: &str| text.lines().take(2).collect::<Vec<_>>().join("\n");
        ensure!(
            table(&before) == table(&after),
            "status was\n{before}\nand is\n{after}"
        );
        self.step("cut the power (SIGKILL) and started it again: the same capsule, the same state");
        Self::note(&after);
        self.answers(&device, V2)?;
        Ok(device)
    }

    fn ephemeral(&mut self, device: &Device) -> Result<()> {
        let sign = Sign {
            capsule: "hello",
            component: "vm-run",
            sequence: 1,
            grants: &[],
            extra: &["--ephemeral"],
            ..Sign::default()
        };
        self.workshop.sign("hello.suit", &sign)?.success()?;
        let said = self.op(device, &["run", "hello.suit", "--input", "newcomer"])?;
        ensure!(said.contains("newcomer"), "unexpected output: {said}");
        self.step("ran an ephemeral capsule: input in, output back, nothing stored");
        Self::note(&said);
        Ok(())
    }
}
