//! What is not an attack: who refuses this too proves nothing with the rest.

use crate::attack::{NEXT, NOW, Outcome, RUNNING, UPDATE, key, manifest_of};
use crate::common::craft::{
    Block, Layers, array, bstr, envelope, map, set, sha256, signed, signed_entries, suit_digest,
    tstr, uint, wrapper,
};
use crate::tables::{List, Sent, under};

/// Makes a manifest one with its payload inside.
pub(crate) fn integrate(layers: &mut Layers) {
    layers.top.retain(|(key, _)| *key != uint(16));
    let mut install = vec![uint(20), map(&[(uint(21), tstr("#capsule"))])];
    install.extend_from_slice(&layers.fetch);
    set(&mut layers.top, 20, bstr(&array(&install)));
}

/// A signed envelope that says to have this inside.
pub(crate) fn integrated(mut layers: Layers, payload: &[u8]) -> Vec<u8> {
    integrate(&mut layers);
    let mut entries = signed_entries(&key(1), &layers.encode());
    entries.push((tstr("#capsule"), bstr(payload)));
    envelope(&entries)
}

/// Blocks by these keys over a digest, in their order: each by who is named
/// first and signed by who is named second.
pub(crate) fn blocks(digest: &[u8], keys: &[(u8, u8)]) -> Vec<Vec<u8>> {
    let mut blocks: Vec<_> = keys
        .iter()
        .map(|(named, signs)| {
            let block = Block::by(&key(*named)).sign(&key(*signs), digest);
            (sha256(&key(*named).pk[..]), block)
        })
        .collect();
    blocks.sort();
    blocks.into_iter().map(|(_, block)| block).collect()
}

/// An envelope with text, which the manifest names.
pub(crate) fn with_text(text: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let text = bstr(&tstr(text));
    let mut layers = manifest_of(UPDATE, NEXT);
    layers.top.push((uint(23), suit_digest(&text)));
    let mut entries = signed_entries(&key(1), &layers.encode());
    entries.push((uint(23), text));
    entries
}

pub(crate) fn list(list: &mut List) {
    let update = || Some(UPDATE.to_vec());
    let plain = |sequence| signed(&key(1), &manifest_of(UPDATE, sequence).encode());
    let two = under(&bstr(&manifest_of(UPDATE, NEXT).encode()), |m| {
        let digest = suit_digest(m);
        wrapper(&digest, &blocks(&digest, &[(1, 1), (3, 3)]))
    });
    let severed = envelope(&with_text("first")[..2]);
    let good: [(&str, &str, Sent); 7] = [
        ("good-running", "what the device of the attacks runs", {
            (integrated(manifest_of(RUNNING, NOW), RUNNING), None)
        }),
        ("good-detached", "an update", (plain(NEXT), update())),
        ("good-integrated", "the same with its payload inside", {
            (integrated(manifest_of(UPDATE, NEXT), UPDATE), None)
        }),
        (
            "good-two-signatures",
            "signed by two trusted keys",
            (two, update()),
        ),
        ("good-text", "with text for people", {
            (envelope(&with_text("first")), update())
        }),
        (
            "good-text-severed",
            "with its text taken out",
            (severed, update()),
        ),
        (
            "good-sequence-max",
            "the highest sequence number that there is",
            { (plain(u64::MAX), update()) },
        ),
    ];
    for (name, what, sent) in good {
        list.add(name, None, Outcome::Taken, what, sent);
    }
}
