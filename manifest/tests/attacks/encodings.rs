//! What says the same in another encoding, or would: signed, and refused all
//! the same, because one envelope is one byte string. The device's own tests
//! try each of them at every place.

use sealift_manifest::Error;

use crate::attack::{changed, key};
use crate::common::craft::{
    Block, Entries, Layers, array, bstr, envelope, head, set, suit_digest, tstr, uint, wrapper,
};
use crate::tables::List;

pub(crate) fn list(list: &mut List) {
    numbers(list);
    indefinite(list);
    order(list);
    types(list);
    depth(list);
}

fn numbers(list: &mut List) {
    let mut number = |name: &str, layer: fn(&mut Layers) -> &mut Entries, key, encoded: &[u8]| {
        let (what, name) = (
            format!("{name} in more bytes than it needs"),
            format!("long-{name}"),
        );
        list.signed(name, "NET-22", Error::NonMinimal, what, |m| {
            set(layer(m), key, encoded.to_vec());
        });
    };
    number("version", |m| &mut m.top, 1, &[0x18, 1]);
    number("sequence", |m| &mut m.top, 2, &[0x19, 0, 6]);
    number(
        "sequence-32-bits",
        |m| &mut m.top,
        2,
        &[0x1a, 0, 0, 0xff, 0xff],
    );
    number(
        "sequence-64-bits",
        |m| &mut m.top,
        2,
        &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255],
    );
    number(
        "fuel",
        |m| &mut m.args,
        2,
        &[0x1b, 0, 0, 0, 0, 0, 0xf, 0x42, 0x40],
    );
    number(
        "memory",
        |m| &mut m.args,
        3,
        &[0x1b, 0, 0, 0, 0, 0, 1, 0, 0],
    );
    number("grants", |m| &mut m.args, 5, &[0x18, 0]);
    number("kind", |m| &mut m.args, 6, &[0x18, 0]);
    number("floor", |m| &mut m.args, 7, &[0x1b, 0, 0, 0, 0, 0, 0, 0, 0]);
    let padded = {
        let manifest = changed(|_| {});
        let length = (manifest.len() as u32).to_be_bytes();
        let manifest = [&[0x5a][..], &length, &manifest].concat();
        let digest = suit_digest(&manifest);
        let block = Block::by(&key(1)).sign(&key(1), &digest);
        envelope(&[
            (uint(2), bstr(&wrapper(&digest, &[block]))),
            (uint(3), manifest),
        ])
    };
    rows! { list.envelope;
        "long-manifest-length", "NET-22", Error::NonMinimal, "the length of the manifest in more bytes than it needs", padded;
    }
    rows! { list.signed;
        "long-command", "NET-22", Error::NonMinimal, "a reporting policy in more bytes than it needs", |m| m.validate = vec![uint(3), vec![0x18, 15]];
        "long-text", "NET-22", Error::NonMinimal, "the length of a text in more bytes than it needs", |m| set(&mut m.args, 1, [&[0x79, 0, 20][..], &[b'a'; 20]].concat());
        "reserved-28", "NET-22", Error::Reserved, "additional information 28, which CBOR reserves", |m| set(&mut m.top, 2, vec![0x1c]);
        "reserved-30", "NET-22", Error::Reserved, "additional information 30, which CBOR reserves", |m| set(&mut m.args, 2, vec![0x1e]);
        "sequence-bignum", "NET-22", Error::UnexpectedType, "a sequence number as a bignum", |m| set(&mut m.top, 2, [vec![0xc2], bstr(&6_u64.to_be_bytes())].concat());
        "sequence-text", "NET-22", Error::UnexpectedType, "a sequence number as text", |m| set(&mut m.top, 2, tstr("6"));
        "sequence-float", "NET-22", Error::UnexpectedType, "a sequence number as a float", |m| set(&mut m.top, 2, [&[0xfb][..], &6_f64.to_be_bytes()].concat());
        "fuel-float", "NET-22", Error::UnexpectedType, "fuel as a float", |m| set(&mut m.args, 2, vec![0xfb, 0, 0, 0, 0, 0, 0, 0, 0]);
        "floor-null", "NET-22", Error::UnexpectedType, "null as a floor", |m| set(&mut m.args, 7, vec![0xf6]);
    }
}

/// With an end and without one: the published crate `dress-up` 0.1.1 does not
/// return from the latter.
fn indefinite(list: &mut List) {
    let manifest = changed(|_| {});
    let ended = [&[0xbf][..], &manifest[1..], &[0xff]].concat();
    let endless = [&[0xbf][..], &manifest[1..]].concat();
    rows! { list.manifest;
        "indefinite-manifest", "NET-22", Error::Indefinite, "a manifest of indefinite length", ended;
        "endless-manifest", "NET-22", Error::Indefinite, "a manifest of indefinite length without an end", endless;
    }
    rows! { list.signed;
        "indefinite-text", "NET-22", Error::Indefinite, "a text in pieces", |m| set(&mut m.args, 1, vec![0x7f, 0x61, b'a', 0xff]);
        "indefinite-bytes", "NET-22", Error::Indefinite, "bytes in pieces", |m| set(&mut m.args, 8, [vec![0x5f], bstr(&[0x5a; 32]), vec![0xff]].concat());
        "indefinite-components", "NET-22", Error::Indefinite, "a list of components of indefinite length", |m| m.components = [vec![0x9f], array(&[bstr(b"vm1")]), vec![0xff]].concat();
        "endless-components", "NET-22", Error::Indefinite, "a list of components without an end", |m| m.components = [vec![0x9f], array(&[bstr(b"vm1")])].concat();
        "indefinite-validate", "NET-22", Error::Indefinite, "a command sequence of indefinite length", |m| set(&mut m.top, 7, bstr(&[0x9f, 3, 15, 0xff]));
        "endless-validate", "NET-22", Error::Indefinite, "a command sequence without an end", |m| set(&mut m.top, 7, bstr(&[0x9f, 3, 15]));
        "endless-empty-validate", "NET-22", Error::Indefinite, "a command sequence without an end, and without a command", |m| set(&mut m.top, 7, bstr(&[0x9f]));
        "lone-break", "NET-22", Error::UnexpectedType, "the end of a list that was not begun", |m| set(&mut m.top, 7, bstr(&[0xff]));
    }
}

/// Duplicate and unsorted keys.
fn order(list: &mut List) {
    rows! { list.signed;
        "twice-sequence", "NET-22", Error::KeyOrder, "the sequence number twice, the second one another", |m| m.top.insert(2, (uint(2), uint(9)));
        "twice-install", "NET-22", Error::KeyOrder, "the install sequence twice", |m| m.top.push(m.top[6].clone());
        "twice-digest", "NET-22", Error::KeyOrder, "two digests of the payload", |m| m.parameters.insert(3, (uint(3), bstr(&suit_digest(b"mine"))));
        "twice-vendor", "NET-22", Error::KeyOrder, "the vendor twice", |m| m.parameters.insert(1, m.parameters[0].clone());
        "twice-components", "NET-22", Error::KeyOrder, "the components twice", |m| m.common.insert(1, m.common[0].clone());
        "twice-profile", "NET-22", Error::KeyOrder, "two engine profiles", |m| m.args.insert(1, (uint(1), tstr("another")));
        "twice-source", "NET-22", Error::KeyOrder, "the last argument twice", |m| m.args.push(m.args[7].clone());
        "unsorted-manifest", "NET-22", Error::MissingKey, "version and sequence number swapped", |m| m.top.swap(0, 1);
        "unsorted-manifest-last", "NET-22", Error::ArrayLength, "fetch and install swapped", |m| m.top.swap(5, 6);
        "unsorted-common", "NET-22", Error::MissingKey, "components and shared sequence swapped", |m| m.common.swap(0, 1);
        "unsorted-parameters", "NET-22", Error::MissingKey, "vendor and class swapped", |m| m.parameters.swap(0, 1);
        "unsorted-args", "NET-22", Error::MissingKey, "profile and fuel swapped", |m| m.args.swap(0, 1);
    }
}

/// Keys of another type than an integer.
fn types(list: &mut List) {
    rows! { list.signed;
        "key-of-text", "NET-22", Error::UnexpectedType, "the sequence number under the text 2", |m| m.top[1].0 = tstr("2");
        "key-of-bytes", "NET-22", Error::UnexpectedType, "the vendor under a byte string", |m| m.parameters[0].0 = bstr(&[1]);
        "key-negative", "NET-22", Error::UnexpectedType, "fuel under the key -3, which ends in the same bits", |m| m.args[1].0 = vec![0x22];
        "key-of-array", "NET-22", Error::UnexpectedType, "components under a list", |m| m.common[0].0 = array(&[uint(2)]);
        "key-float", "NET-22", Error::UnexpectedType, "memory under a float", |m| m.args[2].0 = vec![0xf9, 0x42, 0];
        "key-long", "NET-22", Error::NonMinimal, "the floor under a key in more bytes than it needs", |m| m.args[6].0 = vec![0x18, 7];
        "tagged-manifest-value", "NET-22", Error::UnexpectedType, "a tag before the sequence number", |m| set(&mut m.top, 2, vec![0xc1, 6]);
    }
}

/// Depth, and lengths that are not there.
fn depth(list: &mut List) {
    let deep = |first: &[u8]| [first.repeat(200), uint(0)].concat();
    rows! { list.signed;
        "deep-arrays", "NET-22", Error::UnexpectedType, "200 arrays, each inside of the one before, as fuel", |m| set(&mut m.args, 2, deep(&[0x81]));
        "deep-maps", "NET-22", Error::UnexpectedType, "200 maps, each inside of the one before, as fuel", |m| set(&mut m.args, 2, deep(&[0xa1, 0]));
        "deep-tags", "NET-22", Error::UnexpectedType, "200 tags before the fuel", |m| set(&mut m.args, 2, deep(&[0xc6]));
        "deep-components", "NET-22", Error::UnexpectedType, "200 arrays, each inside of the one before, as components", |m| m.components = deep(&[0x81]);
        "deep-endless", "NET-22", Error::Indefinite, "200 arrays of indefinite length as components", |m| m.components = deep(&[0x9f]);
        "length-text", "NET-22", Error::Profile, "a text of the largest length that there is", |m| set(&mut m.args, 1, head(3, u64::MAX));
        "length-bytes", "NET-22", Error::DigestLength, "bytes of the largest length that there is", |m| set(&mut m.args, 8, head(2, u64::MAX));
        "length-array", "NET-22", Error::Component, "an array of the largest length that there is", |m| m.components = head(4, u64::MAX);
        "length-wrapped", "NET-22", Error::Truncated, "a sequence in bytes of the largest length that there is", |m| set(&mut m.top, 7, head(2, u64::MAX));
    }
    let (huge_map, huge_bytes) = (head(5, u64::MAX), head(2, u64::MAX));
    rows! { list.envelope;
        "length-envelope", "NET-22", Error::UnknownKey, "an envelope of the most entries that there are", [&[0xd8, 107][..], &huge_map].concat();
        "length-authentication", "NET-22", Error::HeadTooLong, "an authentication wrapper of the largest length that there is", [&[0xd8, 107, 0xa2, 2][..], &huge_bytes].concat();
    }
}
