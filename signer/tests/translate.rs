//! What is a capsule, what is not, and that translating is reproducible.

mod common;

use common::{chatty, component, job, job_with, persistent, persistent_with, section};
use sha2::{Digest, Sha256};
use signer::{Error, Grants, Kind, Target, translate};

fn refusal(wasm: &[u8], kind: Kind) -> Error {
    translate(wasm, Target::Pulley32, kind).expect_err("refused")
}

#[test]
fn modules_and_components_translate_for_both_targets() {
    for target in Target::ALL {
        for (wasm, kind) in [
            (persistent(), Kind::Persistent),
            (component(&persistent()), Kind::Persistent),
            (job(), Kind::Ephemeral),
        ] {
            let translation = translate(&wasm, target, kind).expect("a capsule");
            assert_eq!(translation.imports, Grants::NONE);
            let digest: [u8; 32] = Sha256::digest(&wasm).into();
            assert_eq!(translation.source_digest, digest);
            assert!(translation.payload.starts_with(b"\x7fELF"));
        }
    }
}

#[test]
fn a_module_and_the_component_made_of_it_give_the_same_payload() {
    let module = chatty();
    for target in Target::ALL {
        let of_module = translate(&module, target, Kind::Persistent).expect("a capsule");
        let of_component =
            translate(&component(&module), target, Kind::Persistent).expect("a capsule");
        assert_eq!(of_module.payload, of_component.payload);
        assert_ne!(of_module.source_digest, of_component.source_digest);
    }
}

/// The payloads of one capsule, by digest. They change with Wasmtime and with
/// the settings in sealift-engine. When this test fails, devices in the field
/// may refuse what this version translates, or the other way round: raise the
/// number at the end of `Target::profile` together with these digests.
#[test]
fn payloads_change_only_with_the_profile() {
    let wasm = job();
    let found = Target::ALL.map(|target| {
        let translation = translate(&wasm, target, Kind::Ephemeral).expect("a capsule");
        let digest = Sha256::digest(&translation.payload);
        (target.profile(), hex::encode(digest))
    });
    let pinned = [
        (
            "wasmtime48/pulley32/4",
            "bfe98f4933d71adeefcec422d1aa66537f8e482278dd813188bc0f5e9732c583",
        ),
        (
            "wasmtime48/pulley64/4",
            "a51582a95c60864ca3d2be43d4276e76a38fba36b8468de2d9f15e547c1fce4d",
        ),
    ];
    assert_eq!(
        found,
        pinned.map(|(profile, digest)| (profile, digest.to_owned()))
    );
}

#[test]
fn the_payload_carries_no_names_and_no_symbols() {
    let named = job_with("", "(func $a_name_to_look_for)", "string");
    for target in Target::ALL {
        let translation = translate(&named, target, Kind::Ephemeral).expect("a capsule");
        let found = |what: &[u8]| translation.payload.windows(what.len()).any(|w| w == what);
        assert!(!found(b"a_name_to_look_for"));
        let sections = translation.sizes.sections.iter();
        let names: Vec<_> = sections.map(|section| section.name.as_str()).collect();
        for unread in [".symtab", ".strtab", ".wasmtime.addrmap", ".name.wasm"] {
            assert!(!names.contains(&unread), "{unread}");
        }
        for setting in ["opt_level", "preserve_frame_pointers", "pointer_width"] {
            assert!(!found(setting.as_bytes()), "{setting}");
        }
        assert!(found(target.name().as_bytes()));
        assert!(names.contains(&".text"));
        assert!(translation.sizes.payload < translation.sizes.translated);
    }
}

#[test]
fn imports_become_grants_and_unused_ones_do_not() {
    let translation = translate(&chatty(), Target::Pulley32, Kind::Persistent).expect("a capsule");
    assert_eq!(translation.imports, Grants::LOG.union(Grants::RNG));
}

#[test]
fn an_import_of_types_alone_needs_no_grant() {
    let address = r#"(import "ariel:wasm-bindings/udp-api@0.0.1" (instance
        (type $v4 (record (field "a" u8) (field "b" u8) (field "c" u8) (field "d" u8)))
        (export "ipv4-addr" (type (eq $v4)))))"#;
    let wasm = job_with(address, "", "string");
    let translation = translate(&wasm, Target::Pulley32, Kind::Ephemeral).expect("a capsule");
    assert_eq!(translation.imports, Grants::NONE);

    let socket = r#"(import "ariel:wasm-bindings/udp-api@0.0.1" (instance
        (export "udp-socket" (type (sub resource)))))"#;
    let wasm = job_with(socket, "", "string");
    let translation = translate(&wasm, Target::Pulley32, Kind::Ephemeral).expect("a capsule");
    assert_eq!(translation.imports, Grants::UDP);
}

#[test]
fn memory_is_what_the_capsule_starts_with() {
    let wasm = persistent_with("", "3");
    let translation = translate(&wasm, Target::Pulley32, Kind::Persistent).expect("a capsule");
    assert_eq!(translation.initial_memory, 3 * 65536);
    let wasm = persistent_with("", "5000 (pagesize 1)");
    let translation = translate(&wasm, Target::Pulley32, Kind::Persistent).expect("a capsule");
    assert_eq!(translation.initial_memory, 5000);
}

#[test]
fn translated_code_is_refused() {
    for target in Target::ALL {
        let payload = translate(&job(), target, Kind::Ephemeral)
            .expect("a capsule")
            .payload;
        assert!(matches!(
            refusal(&payload, Kind::Ephemeral),
            Error::AlreadyTranslated
        ));
    }
}

#[test]
fn what_is_not_wasm_is_refused() {
    for bytes in [
        &b""[..],
        b"(component)",
        b"\0as",
        b"\0asm",
        b"\0asm\x02\0\0\0",
        b"\0asm\x0d\0\x02\0",
    ] {
        assert!(matches!(
            refusal(bytes, Kind::Persistent),
            Error::NotWasm | Error::InvalidWasm(_)
        ));
    }
}

#[test]
fn a_module_without_wit_is_refused() {
    let bare = wat::parse_str("(module (func (export \"run\")))").expect("valid text");
    assert!(matches!(
        refusal(&bare, Kind::Persistent),
        Error::NoInterface
    ));
}

#[test]
fn a_module_that_does_not_keep_to_its_wit_is_refused() {
    let text = "(module (memory (export \"memory\") 1))";
    let wasm = common::module("persistent", text);
    assert!(matches!(
        refusal(&wasm, Kind::Persistent),
        Error::NotComponentizable(_)
    ));
}

#[test]
fn a_cut_capsule_is_refused() {
    for wasm in [persistent(), job()] {
        for len in (0..wasm.len()).step_by(7) {
            let cut = wasm.get(..len).expect("shorter");
            refusal(cut, Kind::Persistent);
            refusal(cut, Kind::Ephemeral);
        }
    }
}

#[test]
fn features_outside_the_profile_are_refused() {
    for (name, code) in [
        ("simd", "(func (drop (v128.const i64x2 0 0)))"),
        ("threads", "(import \"a\" \"b\" (memory 1 1 shared))"),
        ("a second memory", "(memory 1)"),
        ("tail calls", "(func $f (return_call $f))"),
        ("references to the host", "(func (param externref))"),
        ("64-bit memory", "(table i64 1 funcref)"),
    ] {
        let wasm = wat::parse_str(format!("(module {code} (memory 1))")).expect("valid text");
        assert!(
            matches!(refusal(&wasm, Kind::Persistent), Error::InvalidWasm(_)),
            "{name}"
        );
        let wasm = wat::parse_str(format!("(component (core module {code} (memory 1)))"))
            .expect("valid text");
        assert!(
            matches!(refusal(&wasm, Kind::Persistent), Error::InvalidWasm(_)),
            "{name}"
        );
    }
}

/// So many components in each other, and so many types of components.
fn deep(levels: usize) -> [Vec<u8>; 3] {
    const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";
    let components = (1..levels).fold(HEADER.to_vec(), |inner, _| {
        [HEADER, &section(4, &inner)].concat()
    });
    // One type, of which each declares the next, but for the last, which is empty.
    let types = |kind: u8| {
        let outer = [kind, 1, 1].repeat(levels - 1);
        section(7, &[&[1], outer.as_slice(), &[kind, 0]].concat())
    };
    [section(4, &components), types(0x41), types(0x42)]
}

#[test]
fn what_is_too_deep_to_be_read_is_refused() {
    let is_too_deep =
        |wasm: &[u8], kind| matches!(refusal(wasm, kind), Error::TooDeep { limit: 16 });
    // The capsule around the components is a level, too.
    for (levels, fit) in [(16, [false, true, true]), (15, [true; 3])] {
        for (section, fits) in deep(levels).into_iter().zip(fit) {
            let wasm = [job(), section].concat();
            let translated = translate(&wasm, Target::Pulley32, Kind::Ephemeral);
            assert_eq!(translated.is_ok(), fits, "{levels}: {translated:?}");
        }
    }
    for section in deep(17).into_iter().chain(deep(20_000)) {
        assert!(is_too_deep(&[job(), section].concat(), Kind::Ephemeral));
    }
}

#[test]
fn an_interface_that_is_too_deep_is_refused() {
    for types in deep(20_000) {
        let component = [b"\0asm\x0d\0\x01\0".as_slice(), &types].concat();
        let named = [b"\x0ecomponent-type".as_slice(), &component].concat();
        let wasm = [persistent(), section(0, &named)].concat();
        let error = refusal(&wasm, Kind::Persistent);
        assert!(matches!(error, Error::TooDeep { .. }), "{error}");
    }
    // In another form it is not read at all.
    let wasm = [persistent(), section(0, b"\x0ecomponent-type\x03\0")].concat();
    let error = refusal(&wasm, Kind::Persistent);
    assert!(matches!(error, Error::NotComponentizable(_)), "{error}");
}

/// A component in which components instantiate each other twice, on so many levels.
fn doubling(levels: usize) -> Vec<u8> {
    let inner = (1..=levels).map(|level| {
        let below = level - 1;
        format!(
            "(component $c{level} (alias outer $top $c{below} (component $below))
                (instance (instantiate $below)) (instance (instantiate $below)))"
        )
    });
    let inner: String = inner.collect();
    let text =
        format!("(component $top (component $c0) {inner} (instance (instantiate $c{levels}))");
    wat::parse_str(text + PLAIN + ")").expect("valid text")
}

/// A function, which makes a component a capsule that runs once.
const PLAIN: &str = r#"
    (core module $plain (func (export "f") (result i32) i32.const 5))
    (core instance $plain (instantiate $plain))
    (func (export "f") (result u32) (canon lift (core func $plain "f")))"#;

#[test]
fn instances_of_components_are_counted_and_not_followed() {
    for (levels, found) in [(5, 63), (6, 127), (60, (1 << 61) - 1), (100, u64::MAX)] {
        let wasm = doubling(levels);
        match translate(&wasm, Target::Pulley32, Kind::Ephemeral) {
            Ok(_) => assert!(found <= 64),
            Err(Error::TooManyComponents { needed, limit: 64 }) => assert_eq!(needed, found),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn imports_that_devices_do_not_offer_are_refused_by_name() {
    for import in [
        "wasi:cli/environment@0.2.0",
        "ariel:wasm-bindings/log-api@0.0.2",
        "ariel:wasm-bindings/flash-api@0.0.1",
    ] {
        let before = format!("(import \"{import}\" (instance (export \"f\" (func))))");
        let wasm = job_with(&before, "", "string");
        let Error::UnknownImport(named) = refusal(&wasm, Kind::Ephemeral) else {
            panic!("{import}");
        };
        assert_eq!(named, import);
    }
}

#[test]
fn each_kind_must_have_its_export() {
    for (wasm, kind) in [(persistent(), Kind::Ephemeral), (job(), Kind::Persistent)] {
        let error = refusal(&wasm, kind);
        assert!(matches!(error, Error::MissingExport { .. }), "{error}");
    }
}

#[test]
fn names_with_other_types_are_refused() {
    let other_result = job_with("", "", "u32");
    let other_import = job_with(
        r#"(import "ariel:wasm-bindings/log-api@0.0.1" (instance
             (export "info" (func (param "input" u32)))))"#,
        "",
        "string",
    );
    let more_than_offered = job_with(
        r#"(import "ariel:wasm-bindings/log-api@0.0.1" (instance
             (export "erase" (func))))"#,
        "",
        "string",
    );
    for wasm in [other_result, other_import, more_than_offered] {
        let error = refusal(&wasm, Kind::Ephemeral);
        assert!(matches!(error, Error::WrongTypes(_)), "{error}");
    }
}

#[test]
fn no_damage_to_the_wasm_brings_the_translator_down() {
    for (wasm, kind) in [(chatty(), Kind::Persistent), (job(), Kind::Ephemeral)] {
        for place in 0..wasm.len() {
            for flip in [0x01, 0x80] {
                let mut damaged = wasm.clone();
                if let Some(byte) = damaged.get_mut(place) {
                    *byte ^= flip;
                }
                // Some of it is still a capsule; none of it may panic.
                let _ = translate(&damaged, Target::Pulley64, kind);
            }
        }
    }
}
