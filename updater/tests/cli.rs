//! The program as people and scripts see it: output, exit status.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Device, Manner, Model, bytes, envelope};
use tempfile::TempDir;
use updater::keys;

struct Shell {
    dir: TempDir,
    device: Device,
}

#[derive(Debug)]
struct Ran {
    status: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.status, 0, "{self:?}");
        self
    }

    /// One line on stderr, nothing on stdout, exit status 1.
    #[track_caller]
    fn failed(self) -> String {
        assert_eq!(self.status, 1, "{self:?}");
        assert!(self.stdout.is_empty(), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        self.stderr.trim_end().to_owned()
    }
}

fn run(dir: &Path, args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_updater"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    Ran {
        status: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Shell {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["op", "stranger"] {
            let out = format!("{name}.cred");
            run(dir.path(), &["keygen", "--out", &out]).ok();
        }
        let peer = keys::load_credential(&dir.path().join("op.pub")).unwrap();
        let device = Device::start(Model::default(), Manner::default(), &[peer]);
        let shell = Self { dir, device };
        let text = sealift_oscore::pem::encode_credential(&shell.device.credential);
        shell.write("device.pub", text.as_bytes());
        shell
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.dir.path().join(name), bytes).unwrap();
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_as("op.cred", args)
    }

    fn run_as(&self, cred: &str, args: &[&str]) -> Ran {
        let mut all = vec![
            "--device",
            &self.device.url,
            "--cred",
            cred,
            "--peer",
            "device.pub",
        ];
        all.extend(args);
        run(self.dir.path(), &all)
    }
}

#[test]
fn keygen_makes_two_files_and_overwrites_none() {
    let dir = tempfile::tempdir().unwrap();
    let said = run(dir.path(), &["keygen", "--out", "a.cred"]).ok();
    assert!(said.text().contains("a.pub"));
    assert!(dir.path().join("a.cred").exists() && dir.path().join("a.pub").exists());
    let said = run(dir.path(), &["keygen", "--out", "a.cred"]).failed();
    assert_eq!(said, "a.pub exists and is not overwritten");
}

#[test]
fn provision_makes_a_record_and_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // RFC 8410, section 10.1.
    let translator = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";
    fs::write(dir.path().join("translator.pub"), translator).unwrap();
    run(dir.path(), &["keygen", "--out", "op.cred"]).ok();
    let provision = |out| {
        let record = ["provision", "--out", out, "--trust", "translator.pub"];
        let args = [&record[..], &["--allow", "deploy=op.pub"]].concat();
        run(dir.path(), &args)
    };
    let said = provision("record").ok();
    assert!(said.text().starts_with("record: 1 translator keys, 0 root"));
    // Neither a record, nor what somebody named by mistake.
    for out in ["record", "op.cred"] {
        let before = fs::read(dir.path().join(out)).unwrap();
        let said = provision(out).failed();
        assert_eq!(said, format!("{out} exists and is not overwritten"));
        assert_eq!(fs::read(dir.path().join(out)).unwrap(), before);
    }
}

#[test]
fn wrong_usage_has_exit_status_2() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["status"] as &[&str],
        &["--device", "coap://127.0.0.1", "--peer", "p", "status"],
        &["frobnicate"],
        &[],
        &["keygen"],
        &[
            "--device",
            "coaps://x",
            "--cred",
            "c",
            "--peer",
            "p",
            "status",
        ],
    ] {
        let ran = run(dir.path(), args);
        assert_eq!(ran.status, 2, "{ran:?}");
    }
    let ran = run(dir.path(), &["--help"]).ok();
    assert!(ran.text().contains("push"));
}

#[test]
fn a_capsule_is_pushed_interrupted_resumed_and_confirmed() {
    let shell = Shell::new();
    let payload = bytes(9000, 1);
    shell.write("hello.suit", &envelope(1, &payload, true));
    let said = shell.run(&["push", "hello.suit"]).failed();
    assert!(said.contains("hello.suit.payload"), "{said}");

    shell.write("hello.suit.payload", &payload);
    let push = ["push", "hello.suit", "--block-size", "256"];
    let said = shell.run(&[&push[..], &["--stop-after", "4000"]].concat());
    assert_eq!(said.status, 1);
    assert_eq!(said.stderr, "stopped after 4096 bytes as asked\n");
    let said = shell.run(&["status"]).ok();
    assert!(said.text().contains("4096 of 9000 bytes"), "{said:?}");

    let said = shell.run(&push).ok();
    assert_eq!(
        said.text(),
        "resuming at 4096 of 9000 bytes\n\
         sent 4904 of 9000 payload bytes\n\
         vm1: sequence 1, trial (3 starts left)\n\
         to keep it: confirm vm1\n"
    );
    assert_eq!(said.stderr, "");
    assert_eq!(shell.device.model().installed, payload);
    let said = shell.run(&push).ok();
    assert_eq!(said.text(), "already installed, nothing to do\n");

    shell.run(&["confirm", "vm1"]).ok();
    let said = shell.run(&["status", "vm1", "--json"]).ok();
    let json: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(json["state"], "confirmed");
    let said = shell.run(&["rollback", "vm1"]).failed();
    assert_eq!(
        said,
        "refused by the device: no previous capsule to go back to [45] (4.09)"
    );
    shell.run(&["remove", "vm1"]).ok();
    let said = shell.run(&["status", "--json"]).ok();
    let json: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(json["components"][0]["state"], "empty");
}

#[test]
fn the_payload_may_have_any_name() {
    let shell = Shell::new();
    shell.write("a.suit", &envelope(1, b"payload", true));
    shell.write("b", b"payload");
    shell.run(&["push", "a.suit", "--payload", "b"]).ok();
    shell.write("c.suit", &envelope(2, b"payload", false));
    let said = shell.run(&["push", "c.suit", "--payload", "b"]).failed();
    assert!(said.contains("has its payload inside"), "{said}");
    shell.run(&["push", "c.suit"]).ok();
    let said = shell.run(&["push", "a.suit", "--payload", "b"]).failed();
    assert!(said.ends_with("[26] (4.09)"), "{said}");
}

#[test]
fn call_writes_the_code_on_stderr_and_the_body_on_stdout() {
    let shell = Shell::new();
    let said = shell
        .run(&["call", "post", "/vm1/echo", "--payload", "hello"])
        .ok();
    assert_eq!(said.stdout, b"hello");
    assert_eq!(said.stderr, "2.05 Content\n");
    let body = bytes(5000, 2);
    shell.write("body", &body);
    let said = shell
        .run(&["call", "PUT", "/vm1/echo", "--payload", "@body"])
        .ok();
    assert_eq!(said.stdout, body);
    let said = shell.run(&["call", "GET", "/vm1/nothing"]).failed();
    assert_eq!(said, "refused by the device: no such resource [2] (4.04)");
}

#[test]
fn run_prints_the_output_of_the_capsule() {
    let shell = Shell::new();
    shell.write("job.suit", &envelope(1, &bytes(3000, 3), false));
    let said = shell.run(&["run", "job.suit", "--input", "newcomer"]).ok();
    assert_eq!(said.text(), "ran with newcomer");
    shell.write("cut.suit", &envelope(1, &bytes(3000, 3), false)[..2000]);
    let said = shell.run(&["run", "cut.suit"]).failed();
    assert!(said.contains("cut short"), "{said}");
    shell.write("det.suit", &envelope(1, &bytes(3000, 3), true));
    let said = shell.run(&["run", "det.suit"]).failed();
    assert!(said.contains("detached"), "{said}");
}

#[test]
fn discover_prints_a_link_on_each_line() {
    let said = Shell::new().run(&["discover"]).ok();
    assert_eq!(said.text(), "</vm-control>;title=\"a, b\"\n</vm-run>\n");
}

#[test]
fn who_may_not_is_told_in_one_line() {
    let shell = Shell::new();
    let said = shell.run_as("stranger.cred", &["status"]).failed();
    assert_eq!(said, "the device refused this credential");
    fs::copy(
        shell.dir.path().join("stranger.pub"),
        shell.dir.path().join("device.pub"),
    )
    .unwrap();
    let said = shell.run(&["status"]).failed();
    assert!(said.contains("not the one expected"), "{said}");
    let said = shell.run_as("missing.cred", &["status"]).failed();
    assert!(said.starts_with("missing.cred: "), "{said}");
    let said = shell.run_as("op.pub", &["status"]).failed();
    assert!(said.starts_with("op.pub: "), "{said}");
}

#[test]
fn nobody_there_is_told_in_one_line() {
    let shell = Shell::new();
    let device = "coap://127.0.0.1:1";
    let said = run(
        shell.dir.path(),
        &[
            "status",
            "--device",
            device,
            "--cred",
            "op.cred",
            "--peer",
            "device.pub",
            "--ack-timeout",
            "0.01",
            "--retries",
            "1",
        ],
    )
    .failed();
    assert!(
        said.starts_with("no answer from 127.0.0.1:1 after 2 tries"),
        "{said}"
    );
}
