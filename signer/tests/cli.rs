//! The `signer` command, as a person or a script runs it.

mod common;

use std::ffi::OsStr;
use std::fs;

use common::desk::{Desk, assert_done, assert_failed, sign_args, text};
#[cfg(unix)]
use common::desk::{mode, set_mode};
use common::{persistent, persistent_with};
use sealift_credential::{Identity, pem};

#[test]
fn keygen_makes_a_private_key_that_only_its_owner_reads() {
    let desk = Desk::empty();
    let said = assert_done(&desk.run(["keygen", "--out", "translator.key"]));
    assert!(said.contains("translator.key") && said.contains("translator.pub"));
    assert_eq!(desk.names(), ["translator.key", "translator.pub"]);
    #[cfg(unix)]
    {
        assert_eq!(mode(&desk.path("translator.key")), 0o600);
        assert_ne!(mode(&desk.path("translator.pub")) & 0o400, 0);
    }
    assert!(text(&desk.read("translator.key")).starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(text(&desk.read("translator.pub")).starts_with("-----BEGIN PUBLIC KEY-----\n"));
}

#[test]
fn keygen_never_overwrites() {
    for (there, other) in [
        ("translator.key", "translator.pub"),
        ("translator.pub", "translator.key"),
    ] {
        let desk = Desk::empty();
        desk.write(there, b"precious");
        assert_failed(&desk.run(["keygen", "--out", "translator.key"]), there);
        assert_eq!(desk.read(there), b"precious");
        assert!(!desk.path(other).exists());
    }
    // A link that leads nowhere is a file, too.
    #[cfg(unix)]
    {
        let desk = Desk::empty();
        std::os::unix::fs::symlink("elsewhere", desk.path("translator.pub")).expect("a link");
        assert_failed(
            &desk.run(["keygen", "--out", "translator.key"]),
            "translator.pub",
        );
        assert_eq!(desk.names(), ["translator.pub"]);
    }
}

#[test]
fn a_passphrase_protects_the_key() {
    let desk = Desk::new();
    fs::remove_file(desk.path("translator.key")).expect("removed");
    fs::remove_file(desk.path("translator.pub")).expect("removed");
    desk.write("right", b"open sesame\nnot this line\n");
    desk.write("wrong", b"open barley\n");
    desk.write("empty", b"\n");

    let ask = ["keygen", "--out", "translator.key", "--passphrase"];
    assert_failed(&desk.run(ask), "SIGNER_PASSPHRASE");
    assert!(!desk.path("translator.key").exists());
    let with_file = |file| {
        [
            "keygen",
            "--out",
            "translator.key",
            "--passphrase-file",
            file,
        ]
    };
    assert_failed(&desk.run(with_file("empty")), "empty");
    let said = assert_done(&desk.run(with_file("right")));
    assert!(said.contains("encrypted"));
    let pem = text(&desk.read("translator.key"));
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));

    desk.assert_refused(&[], "hello.wasm", "SIGNER_PASSPHRASE");
    let wrong = "the passphrase for translator.key is wrong";
    desk.assert_refused(&["--passphrase-file", "wrong"], "hello.wasm", wrong);
    desk.assert_refused(&["--passphrase-file", "absent"], "hello.wasm", "absent");
    assert_done(&desk.sign("hello.wasm", &["--passphrase-file", "right"]));
    let output = desk
        .command(sign_args("hello.wasm"))
        .env("SIGNER_PASSPHRASE", "open sesame")
        .output()
        .expect("runs");
    assert_done(&output);
}

#[cfg(unix)]
#[test]
fn a_passphrase_that_is_no_text_or_empty_makes_no_key() {
    use std::os::unix::ffi::OsStrExt;

    let desk = Desk::empty();
    let latin = b"gr\xfc\xdfe";
    for (set, said) in [(&latin[..], "not text"), (b"", "empty")] {
        let output = desk
            .command(["keygen", "--out", "translator.key"])
            .env("SIGNER_PASSPHRASE", OsStr::from_bytes(set))
            .output()
            .expect("runs");
        assert_failed(&output, said);
    }
    desk.write("latin", latin);
    let with_file = [
        "keygen",
        "--out",
        "translator.key",
        "--passphrase-file",
        "latin",
    ];
    assert_failed(&desk.run(with_file), "not text");
    assert_eq!(desk.names(), ["latin"]);
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    let desk = Desk::new();
    for exposed in [0o640, 0o604, 0o644] {
        set_mode(&desk.path("translator.key"), exposed);
        desk.assert_refused(&[], "hello.wasm", "chmod 600");
    }
    set_mode(&desk.path("translator.key"), 0o400);
    assert_done(&desk.sign("hello.wasm", &[]));
}

#[test]
fn signed_envelopes_verify_and_say_what_was_asked_for() {
    let desk = Desk::new();
    let more = [
        "--grant", "log", "--grant", "rng", "--fuel", "5000", "--floor", "2",
    ];
    assert_done(&desk.sign("chatty.wasm", &more));

    let said = assert_done(&desk.run(["inspect", "out.suit"]));
    for expected in ["vm1", "wasmtime48/pulley32/4", "log, rng", "5000 per call"] {
        assert!(said.contains(expected), "{said}");
    }
    assert!(said.ends_with("signature not checked: anyone may have written this\n"));

    let json = assert_done(&desk.run(["inspect", "out.suit", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["sequence"], 7);
    assert_eq!(json["floor"], 2);
    assert_eq!(json["signature_checked"], false);
    assert_eq!(json["grants"], serde_json::json!(["log", "rng"]));

    let verify = ["verify", "out.suit", "--pub", "translator.pub"];
    let said = assert_done(&desk.run(verify));
    assert!(said.ends_with("good: signature and payload\n"), "{said}");
    let again = [&verify[..], &["--source", "chatty.wasm", "--json"]].concat();
    let json = assert_done(&desk.run(again));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["reproduced"], true);
    assert_eq!(json["manifest"]["signature_checked"], true);

    let other = [&verify[..], &["--source", "hello.wasm"]].concat();
    assert_failed(&desk.run(other), "not the source");
}

#[test]
fn two_runs_write_the_same_bytes() {
    let desk = Desk::new();
    for target in ["pulley32", "pulley64"] {
        let more = ["--target", target, "--ephemeral"];
        assert_done(&desk.sign("job.wasm", &more));
        let first = desk.read("out.suit");
        assert_done(&desk.sign("job.wasm", &more));
        assert_eq!(desk.read("out.suit"), first, "{target}");
    }
}

#[test]
fn a_detached_payload_is_found_beside_its_envelope() {
    let desk = Desk::new();
    assert_done(&desk.sign("hello.wasm", &["--detached"]));
    let payload = desk.read("out.suit.payload");
    assert!(payload.starts_with(b"\x7fELF"));
    assert!(desk.read("out.suit").len() < 1024);

    let verify = ["verify", "out.suit", "--pub", "translator.pub"];
    assert_done(&desk.run(verify));
    fs::rename(desk.path("out.suit.payload"), desk.path("moved")).expect("moved");
    assert_failed(&desk.run(verify), "--payload");
    let with = |file| [&verify[..], &["--payload", file]].concat();
    assert_done(&desk.run(with("moved")));
    assert_failed(&desk.run(with("hello.wasm")), "payload");

    // Its own payload is bytecode, and that is not signed again.
    desk.assert_refused(&[], "moved", "already translated");
    assert_done(&desk.sign("hello.wasm", &[]));
    assert_failed(&desk.run(with("moved")), "--payload");
}

#[test]
fn what_is_not_a_capsule_is_refused_and_leaves_nothing_behind() {
    let desk = Desk::new();
    let wat = |text: &str| wat::parse_str(text).expect("valid text");
    desk.write("code.cwasm", b"\x7fELF\x02\x01\x01\xc8 and so on");
    desk.write("core.wasm", &wat("(module)"));
    desk.write("text.wasm", b"(component)");
    desk.write("cut.wasm", persistent().split_at(60).0);
    desk.write(
        "simd.wasm",
        &persistent_with("(func (drop (v128.const i64x2 0 0)))", "1"),
    );
    desk.write(
        "threads.wasm",
        &wat("(component (core module (memory 1 1 shared)))"),
    );
    desk.write(
        "wasi.wasm",
        &wat("(component (import \"wasi:io/poll@0.2.0\" (instance (export \"f\" (func)))))"),
    );
    desk.write("big.wasm", &persistent_with("", "2"));
    for (wasm, reason) in [
        ("code.cwasm", "already translated"),
        ("core.wasm", "carries no WIT"),
        ("text.wasm", "not Wasm"),
        ("cut.wasm", "not valid"),
        ("simd.wasm", "SIMD"),
        ("threads.wasm", "threads"),
        ("wasi.wasm", "wasi:io/poll@0.2.0"),
        ("big.wasm", "--memory"),
        ("job.wasm", "--ephemeral"),
        ("chatty.wasm", "--grant log --grant rng"),
        ("absent.wasm", "absent.wasm"),
    ] {
        desk.assert_refused(&[], wasm, reason);
    }
    desk.assert_refused(&["--ephemeral"], "hello.wasm", "no ephemeral capsule");
    desk.assert_refused(&["--floor", "8"], "hello.wasm", "floor");
    desk.assert_refused(&["--fuel", "0"], "hello.wasm", "fuel");
    assert_done(&desk.sign("big.wasm", &["--memory", "131072"]));
}

#[test]
fn a_refused_capsule_leaves_the_earlier_envelope_as_it_was() {
    let desk = Desk::new();
    assert_done(&desk.sign("hello.wasm", &[]));
    let earlier = desk.read("out.suit");
    desk.assert_refused(&[], "chatty.wasm", "--grant");
    assert_eq!(desk.read("out.suit"), earlier);
}

#[test]
fn a_grant_that_is_not_needed_is_noted() {
    let desk = Desk::new();
    let output = desk.sign("hello.wasm", &["--grant", "udp"]);
    assert_done(&output);
    assert!(text(&output.stderr).contains("udp is granted"));
}

#[test]
fn damaged_and_foreign_envelopes_are_refused() {
    let desk = Desk::new();
    assert_done(&desk.sign("hello.wasm", &[]));
    let verify = ["verify", "out.suit", "--pub", "translator.pub"];
    let good = desk.read("out.suit");
    for place in [0, 5, 100, 250, good.len() - 1] {
        let mut damaged = good.clone();
        damaged[place] ^= 1;
        desk.write("out.suit", &damaged);
        assert_failed(&desk.run(verify), "");
    }
    desk.write("out.suit", b"");
    assert_failed(&desk.run(verify), "");
    assert_failed(&desk.run(["inspect", "out.suit"]), "");

    desk.write("out.suit", &good);
    assert_done(&desk.run(["keygen", "--out", "other.key"]));
    let other = ["verify", "out.suit", "--pub", "other.pub"];
    assert_failed(&desk.run(other), "not trusted");
    let not_public = ["verify", "out.suit", "--pub", "other.key"];
    assert_failed(&desk.run(not_public), "public key");
}

#[test]
fn what_is_no_private_key_is_called_so() {
    let desk = Desk::new();
    let sign_with = |key| {
        let mut args = sign_args("hello.wasm");
        args[3] = key;
        desk.run(args)
    };
    // Whoever may read it.
    for mode in [0o644, 0o600] {
        #[cfg(unix)]
        set_mode(&desk.path("translator.pub"), mode);
        let said = "translator.pub is not an Ed25519 private key";
        assert_failed(&sign_with("translator.pub"), said);
    }
    assert_failed(&sign_with("."), ".: ");
    let named_as_public = desk.run(["keygen", "--out", "new.pub"]);
    assert_failed(&named_as_public, "another one");
}

#[test]
fn wrong_usage_exits_with_2() {
    let desk = Desk::new();
    let wrong: [&[&str]; 6] = [
        &[],
        &["push"],
        &["verify", "out.suit"],
        &["sign", "hello.wasm", "--key", "translator.key"],
        &["inspect"],
        &["keygen", "--force"],
    ];
    for args in wrong {
        assert_eq!(desk.run(args).status.code(), Some(2), "{args:?}");
    }
    for more in [
        ["--grant", "flash"],
        ["--target", "x86_64"],
        ["--memory", "-1"],
        ["--fuel", "many"],
    ] {
        assert_eq!(
            desk.sign("hello.wasm", &more).status.code(),
            Some(2),
            "{more:?}"
        );
    }
    assert!(!desk.path("out.suit").exists());
    assert_done(&desk.run(["--help"]));
    assert_done(&desk.run(["--version"]));
}

#[test]
fn translators_are_files_with_or_without_components() {
    let desk = Desk::new();
    let identity = Identity::generate("op", &mut rand_core::OsRng).expect("a credential");
    let op = pem::encode_credential(identity.credential());
    desk.write("op.pub", op.as_bytes());
    fs::create_dir(desk.path("keys=new")).expect("a folder");
    assert_done(&desk.run(["keygen", "--out", "keys=new/next.key"]));
    let trust = |translator| {
        desk.run([
            "trust",
            "--root-key",
            "translator.key",
            "--seq",
            "1",
            "--allow",
            "deploy=op.pub",
            "--out",
            "out.suit",
            "--translator",
            translator,
        ])
    };
    for (translator, components) in [
        ("keys=new/next.pub", "for all components"),
        ("keys=new/next.pub=vm1,vm2", "for vm1, vm2"),
    ] {
        let said = assert_done(&trust(translator));
        assert!(said.contains(components), "{said}");
    }
    assert_eq!(trust("keys=new/next.pub=VM1").status.code(), Some(2));
    assert_failed(&trust("keys=new"), "keys");
}
