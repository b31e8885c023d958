//! Each field of a manifest with another value, by who has no key.

use sealift_manifest::Error;

use crate::attack::{changed, key};
use crate::common::craft::{
    Block, Layers, array, bstr, envelope, set, signed, signed_entries, suit_digest, tstr, uint,
    wrapper,
};
use crate::tables::List;

type Change = fn(&mut Layers);

/// Every field that a manifest has, with another value.
const FIELDS: [(&str, Change); 21] = [
    ("version", |m| set(&mut m.top, 1, uint(2))),
    ("sequence", |m| set(&mut m.top, 2, uint(7))),
    ("component", |m| {
        m.components = array(&[array(&[bstr(b"vm2")])]);
    }),
    ("vendor", |m| set(&mut m.parameters, 1, bstr(&[9; 16]))),
    ("class", |m| set(&mut m.parameters, 2, bstr(&[9; 16]))),
    ("digest", |m| {
        set(&mut m.parameters, 3, bstr(&suit_digest(b"mine")));
    }),
    ("size", |m| set(&mut m.parameters, 14, uint(4))),
    ("conditions", |m| m.conditions.swap(0, 2)),
    ("profile", |m| {
        set(&mut m.args, 1, tstr("wasmtime1/pulley64/1"));
    }),
    ("fuel", |m| set(&mut m.args, 2, uint(10_000_000))),
    ("memory", |m| set(&mut m.args, 3, uint(1 << 20))),
    ("stack", |m| set(&mut m.args, 4, uint(1 << 20))),
    ("grants", |m| set(&mut m.args, 5, uint(63))),
    ("kind", |m| set(&mut m.args, 6, uint(1))),
    ("floor", |m| set(&mut m.args, 7, uint(2))),
    ("source", |m| set(&mut m.args, 8, bstr(&[9; 32]))),
    ("invoke", |m| m.invoke = vec![uint(23), uint(15)]),
    ("validate", |m| m.validate = vec![]),
    ("uri", |m| m.uri = tstr("vm2/payload")),
    ("fetch", |m| m.fetch.truncate(2)),
    ("install", |m| m.install = vec![]),
];

pub(crate) fn list(list: &mut List) {
    let good = changed(|_| {});
    let entries = signed_entries(&key(1), &good);
    let signature = Block::by(&key(1)).sign(&key(1), &suit_digest(&bstr(&good)));
    for (field, change) in FIELDS {
        let altered = changed(change);
        assert_ne!(altered, good, "{field}");

        let mut under_old = entries.clone();
        under_old[1].1 = bstr(&altered);
        list.envelope(
            format!("altered-{field}"),
            "OP-3",
            Error::ManifestDigest,
            format!("{field} altered, digest and signature as they were"),
            envelope(&under_old),
        );

        let digest = suit_digest(&bstr(&altered));
        let mut under_own = under_old;
        under_own[0].1 = bstr(&wrapper(&digest, std::slice::from_ref(&signature)));
        list.envelope(
            format!("altered-{field}-redigested"),
            "OP-3",
            Error::SignatureMismatch,
            format!("{field} altered and the digest made to fit, the signature as it was"),
            envelope(&under_own),
        );

        list.envelope(
            format!("altered-{field}-resigned"),
            "OP-3",
            Error::UntrustedKey,
            format!("{field} altered, and all of it signed with a key of the attacker's"),
            signed(&key(2), &altered),
        );
    }
}
