//! Manifests that are signed all the same: what a translator can do wrong, or
//! somebody who got at its key.

use sealift_manifest::Error;

use crate::attack::{changed, manifest};
use crate::common::craft::{array, bstr, map, nint, remove, set, suit_digest, tstr, uint};
use crate::tables::List;

pub(crate) fn list(list: &mut List) {
    keys(list);
    values(list);
    commands(list);
    addresses(list);
    missing(list);
    ends(list);
}

fn keys(list: &mut List) {
    rows! { list.signed;
        "manifest-reference", "OP-4", Error::UnknownKey, "a reference to another manifest", |m| m.top.insert(3, (uint(4), tstr("coap://elsewhere")));
        "manifest-load", "OP-4", Error::UnknownKey, "a load sequence", |m| m.top.insert(4, (uint(8), bstr(&array(&[]))));
        "manifest-unknown-key", "OP-4", Error::UnknownKey, "an unknown key behind the last one", |m| m.top.push((uint(24), uint(1)));
        "common-dependencies", "OP-4", Error::UnknownKey, "dependencies", |m| m.common.insert(0, (uint(1), uint(1)));
        "common-unknown-key", "OP-4", Error::UnknownKey, "an unknown key between those of common", |m| m.common.insert(1, (uint(3), uint(1)));
        "common-unknown-last", "OP-4", Error::UnknownKey, "an unknown key behind those of common", |m| m.common.push((uint(5), uint(1)));
        "parameters-offset", "OP-4", Error::UnknownKey, "a component slot", |m| m.parameters.insert(3, (uint(5), uint(1)));
        "parameters-device-id", "OP-4", Error::UnknownKey, "a device identifier", |m| m.parameters.push((uint(24), bstr(&[1; 16])));
        "args-unknown-key", "OP-4", Error::UnknownKey, "an unknown key behind those of the arguments", |m| m.args.push((uint(200), uint(1)));
    }
}

fn values(list: &mut List) {
    let over = u64::from(u32::MAX) + 1;
    rows! { list.signed;
        "version-2", "NET-22", Error::Version, "version 2 of the format", |m| set(&mut m.top, 1, uint(2));
        "component-none", "NET-21", Error::Component, "no component", |m| m.components = array(&[]);
        "component-two", "NET-21", Error::Component, "two components", |m| m.components = array(&[array(&[bstr(b"vm1")]), array(&[bstr(b"vm2")])]);
        "component-segments", "NET-21", Error::Component, "a component of two segments", |m| m.components = array(&[array(&[bstr(b"vm1"), bstr(b"x")])]);
        "component-empty", "NET-21", Error::ComponentName, "a component without a name", |m| m.components = array(&[array(&[bstr(b"")])]);
        "component-path", "NET-21", Error::ComponentName, "a component with a path as its name", |m| m.components = array(&[array(&[bstr(b"../vm1")])]);
        "component-upper-case", "NET-21", Error::ComponentName, "a component with capital letters", |m| m.components = array(&[array(&[bstr(b"VM1")])]);
        "component-zero-byte", "NET-21", Error::ComponentName, "a name with a zero byte behind it", |m| m.components = array(&[array(&[bstr(b"vm1\0")])]);
        "component-long", "NET-21", Error::ComponentName, "a name of 17 letters", |m| m.components = array(&[array(&[bstr(&[b'a'; 17])])]);
        "vendor-short", "NET-19", Error::IdentifierLength, "a vendor of 15 bytes", |m| set(&mut m.parameters, 1, bstr(&[1; 15]));
        "vendor-empty", "NET-19", Error::IdentifierLength, "a vendor of no bytes", |m| set(&mut m.parameters, 1, bstr(&[]));
        "class-long", "NET-19", Error::IdentifierLength, "a class of 17 bytes", |m| set(&mut m.parameters, 2, bstr(&[1; 17]));
        "payload-digest-sha384", "NET-23", Error::DigestAlgorithm, "the digest of the payload by SHA-384", |m| set(&mut m.parameters, 3, bstr(&array(&[nint(42), bstr(&[0; 48])])));
        "payload-digest-long", "NET-23", Error::DigestLength, "a digest of the payload of 33 bytes", |m| set(&mut m.parameters, 3, bstr(&array(&[nint(15), bstr(&[0; 33])])));
        "payload-digest-trailing", "NET-22", Error::TrailingBytes, "a byte behind the digest of the payload", |m| set(&mut m.parameters, 3, bstr(&[suit_digest(b"x"), vec![0]].concat()));
        "size-zero", "NET-25", Error::EmptyPayload, "a size of zero", |m| set(&mut m.parameters, 14, uint(0));
        "size-33-bits", "NET-25", Error::OutOfRange, "a size of 4 GiB", |m| set(&mut m.parameters, 14, uint(over));
        "size-64-bits", "NET-25", Error::OutOfRange, "the largest size that there is", |m| set(&mut m.parameters, 14, uint(u64::MAX));
        "size-negative", "NET-25", Error::UnexpectedType, "a size below zero", |m| set(&mut m.parameters, 14, nint(0));
        "sequence-negative", "NET-3", Error::UnexpectedType, "a sequence number below zero", |m| set(&mut m.top, 2, nint(0));
        "memory-33-bits", "NET-19", Error::OutOfRange, "memory of 4 GiB", |m| set(&mut m.args, 3, uint(over));
        "stack-33-bits", "NET-19", Error::OutOfRange, "a stack of 4 GiB", |m| set(&mut m.args, 4, uint(over));
        "profile-empty", "NET-20", Error::Profile, "an engine profile without a name", |m| set(&mut m.args, 1, tstr(""));
        "profile-long", "NET-20", Error::Profile, "an engine profile of 65 letters", |m| set(&mut m.args, 1, tstr(&"p".repeat(65)));
        "profile-space", "NET-20", Error::Profile, "an engine profile with a space", |m| set(&mut m.args, 1, tstr("a b"));
        "profile-not-ascii", "NET-20", Error::Profile, "an engine profile that is not ASCII", |m| set(&mut m.args, 1, tstr("pulley\u{fc}"));
        "profile-not-utf8", "NET-22", Error::Utf8, "an engine profile that is not UTF-8", |m| set(&mut m.args, 1, vec![0x62, 0xff, 0xfe]);
        "grants-unknown", "NET-19", Error::UnknownGrant, "an interface that there is not", |m| set(&mut m.args, 5, uint(64));
        "grants-33-bits", "NET-19", Error::UnknownGrant, "interfaces beyond 32 bits", |m| set(&mut m.args, 5, uint(over));
        "kind-unknown", "NET-20", Error::UnknownKind, "a kind of capsule that there is not", |m| set(&mut m.args, 6, uint(2));
        "floor-above-sequence", "NET-3", Error::FloorAboveSequence, "a floor above the own sequence number", |m| set(&mut m.args, 7, uint(7));
        "floor-max", "NET-3", Error::FloorAboveSequence, "the highest floor that there is", |m| set(&mut m.args, 7, uint(u64::MAX));
        "source-digest-short", "NET-23", Error::DigestLength, "a digest of the source of 31 bytes", |m| set(&mut m.args, 8, bstr(&[1; 31]));
        "signatures-one", "NET-24", Error::SignatureCount, "one signature asked for, which goes without saying", |m| m.args.push((uint(9), uint(1)));
        "signatures-zero", "NET-24", Error::SignatureCount, "no signature asked for", |m| m.args.push((uint(9), uint(0)));
        "signatures-five", "NET-24", Error::SignatureCount, "more signatures asked for than an envelope can have", |m| m.args.push((uint(9), uint(5)));
        "signatures-two", "NET-24", Error::TooFewSignatures, "two signatures asked for, and one there", |m| m.args.push((uint(9), uint(2)));
    }
}

fn commands(list: &mut List) {
    rows! { list.signed;
        "validate-negative", "OP-4", Error::Command, "a custom command of the same absolute value", |m| m.validate = vec![nint(2), uint(15)];
        "validate-other", "OP-4", Error::Command, "another condition to validate", |m| m.validate = vec![uint(14), uint(15)];
        "validate-empty", "OP-4", Error::ArrayLength, "nothing to validate", |m| m.validate = vec![];
        "conditions-other", "OP-4", Error::Command, "the condition on the vendor replaced", |m| m.conditions[0] = uint(2);
        "conditions-device", "OP-4", Error::Command, "the condition on the class replaced", |m| m.conditions[2] = uint(24);
        "conditions-none", "OP-4", Error::ArrayLength, "no condition on vendor and class", |m| m.conditions.clear();
        "fetch-copy", "OP-4", Error::Command, "a copy in the place of the fetch", |m| m.fetch[0] = uint(22);
        "fetch-no-check", "OP-4", Error::Command, "no check behind the fetch", |m| m.fetch[2] = uint(6);
        "fetch-twice", "OP-4", Error::ArrayLength, "a second fetch", |m| { let again = m.fetch.clone(); m.fetch.extend(again); };
        "invoke-swap", "OP-4", Error::Command, "a swap in the place of the invocation", |m| m.invoke[0] = uint(31);
        "invoke-more", "OP-4", Error::ArrayLength, "a command behind the invocation", |m| m.invoke.extend([uint(3), uint(15)]);
        "install-try-each", "OP-4", Error::ArrayLength, "alternatives in the install sequence", |m| m.install.extend([uint(15), array(&[])]);
        "install-half", "OP-4", Error::ArrayLength, "a command without its argument", |m| m.install.push(uint(3));
        "report-validate", "OP-4", Error::ReportPolicy, "another reporting policy when validating", |m| m.validate[1] = uint(2);
        "report-conditions", "OP-4", Error::ReportPolicy, "another reporting policy of a condition", |m| m.conditions[1] = uint(16);
        "report-fetch", "OP-4", Error::ReportPolicy, "another reporting policy of the fetch", |m| m.fetch[1] = uint(15);
        "report-invoke", "OP-4", Error::ReportPolicy, "another reporting policy of the invocation", |m| m.invoke[1] = uint(0);
        "no-fetch", "OP-4", Error::ArrayLength, "no fetch, and no payload to install", |m| remove(&mut m.top, 16);
    }
}

fn addresses(list: &mut List) {
    // RIOT copied addresses into a buffer that they did not fit.
    rows! { list.signed;
        "uri-elsewhere", "NET-17", Error::Uri, "the payload from another host", |m| m.uri = tstr("coap://[2001:db8::1]/vm1/payload");
        "uri-authority", "NET-17", Error::Uri, "the payload from another host, without a scheme", |m| m.uri = tstr("//elsewhere/vm1/payload");
        "uri-other-component", "NET-17", Error::Uri, "the payload of another component", |m| m.uri = tstr("vm2/payload");
        "uri-path", "NET-17", Error::Uri, "a path that climbs", |m| m.uri = tstr("../vm2/payload");
        "uri-slash", "NET-17", Error::Uri, "a slash too many", |m| m.uri = tstr("vm1/payload/");
        "uri-upper-case", "NET-17", Error::Uri, "capital letters", |m| m.uri = tstr("VM1/payload");
        "uri-inside", "NET-17", Error::Uri, "a fetch of the payload inside", |m| m.uri = tstr("#capsule");
        "uri-inside-other", "NET-17", Error::Uri, "a fetch of another payload inside", |m| m.uri = tstr("#another");
        "uri-empty", "NET-17", Error::Uri, "no address", |m| m.uri = tstr("");
        "uri-overlong", "NET-17", Error::Uri, "an address of 500 letters", |m| m.uri = tstr(&"a".repeat(500));
        "uri-overlong-good-end", "NET-17", Error::Uri, "an overlong address that ends like the right one", |m| m.uri = tstr(&("a".repeat(500) + "vm1/payload"));
        "uri-beyond-head", "NET-17", Error::HeadTooLong, "an address that is longer than a head may be", |m| m.uri = tstr(&"a".repeat(2000));
        "uri-length-u64-max", "NET-17", Error::Uri, "an address of the largest length that there is, and no letters", |m| m.uri = vec![0x7b, 255, 255, 255, 255, 255, 255, 255, 255];
        "uri-length-short", "NET-17", Error::Uri, "a length that ends in the middle of the address", |m| m.uri[0] = 0x65;
    }
}

fn missing(list: &mut List) {
    let what = |what: &str, key: u64| format!("{what} key {key} is missing");
    for key in [1, 2, 3, 7, 9, 20] {
        let name = format!("missing-manifest-{key}");
        list.signed(
            name,
            "NET-22",
            Error::MissingKey,
            what("manifest", key),
            |m| {
                remove(&mut m.top, key);
            },
        );
    }
    for key in 1..=8 {
        let name = format!("missing-args-{key}");
        list.signed(
            name,
            "NET-22",
            Error::MissingKey,
            what("argument", key),
            |m| {
                remove(&mut m.args, key);
            },
        );
    }
    for key in [1, 2, 3, 14] {
        let name = format!("missing-parameter-{key}");
        list.signed(
            name,
            "NET-22",
            Error::MissingKey,
            what("parameter", key),
            |m| {
                remove(&mut m.parameters, key);
            },
        );
    }
    for key in [2, 4] {
        let name = format!("missing-common-{key}");
        list.signed(
            name,
            "NET-22",
            Error::MissingKey,
            what("common", key),
            |m| {
                remove(&mut m.common, key);
            },
        );
    }
}

/// Bytes behind the end of each layer, and one too few.
fn ends(list: &mut List) {
    let encoded = changed(|_| {});
    let longer = [&encoded[..], &[0]].concat();
    let shorter = encoded[..encoded.len() - 1].to_vec();
    rows! { list.manifest;
        "manifest-trailing", "NET-22", Error::TrailingBytes, "a byte behind the manifest", longer;
        "manifest-truncated", "NET-22", Error::Truncated, "a manifest without its last byte", shorter;
        "manifest-empty", "NET-22", Error::Truncated, "a manifest of no bytes", vec![];
        "manifest-null", "NET-22", Error::UnexpectedType, "a manifest that is null", vec![0xf6];
    }
    let sequence = |items: &[Vec<u8>]| bstr(&[array(items), vec![0]].concat());
    let arguments = |args: Vec<u8>| {
        bstr(&array(&[
            uint(20),
            map(&[(uint(23), bstr(&args))]),
            uint(23),
            uint(2),
        ]))
    };
    let args = map(&manifest().args);
    let mut more = args.clone();
    more[0] += 1;
    let endless = [
        &[0xbb, 255, 255, 255, 255, 255, 255, 255, 255][..],
        &args[1..],
    ]
    .concat();
    rows! { list.signed;
        "validate-trailing", "NET-22", Error::TrailingBytes, "a byte behind the validate sequence", |m| set(&mut m.top, 7, sequence(&[uint(3), uint(15)]));
        "install-trailing", "NET-22", Error::TrailingBytes, "a byte behind the install sequence", |m| set(&mut m.top, 20, sequence(&[uint(3), uint(15)]));
        "args-trailing", "NET-22", Error::TrailingBytes, "a byte behind the arguments", |m| set(&mut m.top, 9, arguments([args.clone(), vec![0]].concat()));
        "args-count-one-more", "NET-22", Error::Truncated, "arguments that say to be one more", |m| set(&mut m.top, 9, arguments(more));
        "args-count-u64-max", "NET-22", Error::Truncated, "arguments that say to be without end", |m| set(&mut m.top, 9, arguments(endless));
    }
}
