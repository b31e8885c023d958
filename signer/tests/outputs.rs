//! Where the `signer` command writes to, and what it leaves alone.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::desk::{Desk, assert_done, assert_failed, sign_args};
use common::persistent_with;
use sealift_credential::Identity;
use sealift_wire::Roles;
use signer::{Key, Keys, Kind, Target, Trust, TrustRequest, TrustedKey, sign_trust, translate};

/// `signer sign hello.wasm` into `out`.
fn sign_to<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = sign_args("hello.wasm");
    args.pop();
    args.push(out);
    args.extend(more);
    args
}

/// Checks that this is refused and that `files` are as they were, and alone.
#[track_caller]
fn assert_untouched(desk: &Desk, args: &[&str], files: &[&str], reason: &str) {
    let before: Vec<_> = files.iter().map(|file| desk.read(file)).collect();
    let names = desk.names();
    assert_failed(&desk.run(args), reason);
    let after: Vec<_> = files.iter().map(|file| desk.read(file)).collect();
    assert!(before == after, "{args:?} changed a file");
    assert_eq!(desk.names(), names, "{args:?} left something behind");
}

#[test]
fn inputs_are_not_overwritten() {
    let desk = Desk::new();
    desk.write("pass", b"open sesame\n");
    let inputs = ["hello.wasm", "translator.key", "./translator.key", "./pass"];
    for input in inputs {
        let args = sign_to(input, &["--detached", "--passphrase-file", "pass"]);
        assert_untouched(&desk, &args, &[input], "input");
    }
    assert_done(&desk.sign("hello.wasm", &[]));
    let cosign = [
        "cosign",
        "out.suit",
        "--key",
        "translator.key",
        "--source",
        "hello.wasm",
        "--passphrase-file",
        "pass",
        "--out",
    ];
    for input in ["translator.key", "hello.wasm", "pass"] {
        let args = [&cosign[..], &[input]].concat();
        assert_untouched(&desk, &args, &[input], "input");
    }
    let trust = [
        "trust",
        "--root-key",
        "translator.key",
        "--translator",
        "other.pub",
        "--allow",
        "deploy=op.pub",
        "--seq",
        "1",
        "--passphrase-file",
        "pass",
        "--out",
    ];
    desk.write("other.pub", b"");
    desk.write("op.pub", b"");
    for input in ["translator.key", "other.pub", "op.pub", "pass"] {
        let args = [&trust[..], &[input]].concat();
        assert_untouched(&desk, &args, &[input], "input");
    }
}

#[test]
fn keys_and_credentials_are_not_overwritten() {
    let desk = Desk::new();
    assert_done(&desk.run(["keygen", "--out", "other.key"]));
    desk.write("op.cred", b"-----BEGIN SEALIFT CREDENTIAL-----\n");
    for file in ["other.key", "other.pub", "translator.pub", "op.cred"] {
        assert_untouched(&desk, &sign_to(file, &[]), &[file], "key or a credential");
    }
    // Nor with the payload.
    fs::rename(desk.path("other.key"), desk.path("new.suit.payload")).expect("renamed");
    let args = sign_to("new.suit", &["--detached"]);
    assert_untouched(&desk, &args, &["new.suit.payload"], "key or a credential");
    // What else is there is replaced.
    desk.write("new.suit", b"----");
    assert_done(&desk.run(sign_to("new.suit", &[])));
}

#[test]
fn a_folder_in_the_way_leaves_all_as_it_was() {
    let desk = Desk::new();
    assert_done(&desk.run(sign_to("out.suit", &["--detached"])));
    fs::remove_file(desk.path("out.suit")).expect("removed");
    fs::create_dir(desk.path("out.suit")).expect("a folder");
    let args = sign_to("out.suit", &["--detached", "--fuel", "5000"]);
    assert_untouched(&desk, &args, &["out.suit.payload"], "out.suit is there");
    // And where there is none.
    let args = sign_to("nowhere/out.suit", &[]);
    assert_untouched(&desk, &args, &[], "nowhere/out.suit");
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_not_replaced() {
    let desk = Desk::new();
    desk.write("target", b"precious");
    std::os::unix::fs::symlink("target", desk.path("link")).expect("a link");
    std::os::unix::fs::symlink("nowhere", desk.path("broken")).expect("a link");
    let pipe = Command::new("mkfifo").arg(desk.path("pipe")).status();
    assert!(pipe.expect("mkfifo").success());
    for out in ["link", "broken", "pipe"] {
        assert_untouched(&desk, &sign_to(out, &[]), &["target"], "no regular file");
    }
    let metadata = fs::symlink_metadata(desk.path("link")).expect("the link");
    assert!(metadata.is_symlink());
}

#[test]
fn where_one_file_fails_the_others_are_as_they_were() {
    let desk = Desk::empty();
    desk.write("earlier", b"precious");
    let (earlier, new) = (desk.path("earlier"), desk.path("new"));
    // There is no folder of this name, which shows only when the file gets it.
    let nowhere = desk.path("nowhere/");
    let files: [(&Path, &[u8]); 3] = [(&earlier, b"1"), (&new, b"2"), (&nowhere, b"3")];
    signer::write_together(&files).expect_err("refused");
    assert_eq!(desk.names(), ["earlier"]);
    assert_eq!(desk.read("earlier"), b"precious");

    signer::write_together(files.get(..2).expect("three")).expect("written");
    assert_eq!(desk.names(), ["earlier", "new"]);
    assert_eq!(desk.read("earlier"), b"1");
}

#[test]
fn strangers_write_nothing_but_text_to_the_terminal() {
    let desk = Desk::new();
    let imports = persistent_with(r#"(import "\1b[2K\0dgood" "f" (func))"#, "1");
    desk.write("hostile.wasm", &imports);
    let output = desk.sign("hostile.wasm", &[]);
    assert_failed(&output, r"\u{1b}[2K\rgood");
    let error = translate(&imports, Target::Pulley32, Kind::Persistent).expect_err("refused");
    assert!(!error.to_string().contains(['\u{1b}', '\r']), "{error}");

    // Names of files are strangers' too.
    let absent = desk.run(["inspect", "\u{1b}[2Kabsent"]);
    assert_failed(&absent, r"\u{1b}[2Kabsent: ");

    // As long as the name that it is put in the place of, after the signing.
    let (name, hostile) = ("steering", "\u{1b}[2K\rvm1");
    let key = |number| Key::from_seed(&[number; 32]).expect("a key");
    let translators = Keys {
        keys: vec![TrustedKey::new(*key(1).public(), vec![name.into()])],
        threshold: 1,
    };
    let identity = Identity::generate("op", &mut rand_core::OsRng).expect("a credential");
    let trust = Trust {
        translators,
        peers: vec![(Roles::DEPLOY, identity.credential().clone())],
    };
    let envelope = sign_trust(&TrustRequest {
        keys: &[key(9)],
        sequence: 1,
        trust: &trust,
        signatures: 1,
        vendor_id: [1; 16],
        class_id: [2; 16],
    });
    let mut envelope = envelope.expect("signed");
    let mut places = envelope.windows(name.len());
    let at = places.rposition(|part| part == name.as_bytes());
    let at = at.expect("the name in the record");
    envelope[at..at + name.len()].copy_from_slice(hostile.as_bytes());
    desk.write("out.suit", &envelope);
    let said = assert_done(&desk.run(["inspect", "out.suit"]));
    assert!(said.contains(r"for \u{1b}[2K\rvm1"), "{said}");
    assert!(!said.contains(['\u{1b}', '\r']), "{said}");
}

#[cfg(unix)]
#[test]
fn nobody_has_to_read_what_went_wrong() {
    let desk = Desk::new();
    for args in [
        vec!["inspect", "absent.suit"],
        sign_to("out.suit", &["--grant", "udp"]),
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = desk.command(&args);
        let command = command.stdout(Stdio::null()).stderr(writer);
        let status = command.status().expect("runs");
        assert_eq!(
            status.code(),
            Some(i32::from(args.contains(&"absent.suit")))
        );
    }
}
