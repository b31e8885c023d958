//! Hand-made CBOR: envelopes that the encoder would never build, signed
//! properly where that is wanted, so that only one check can refuse them.

use ed25519_compact::KeyPair;
use sha2::{Digest, Sha256};

/// A map, as its entries.
pub(crate) type Entries = Vec<(Vec<u8>, Vec<u8>)>;

pub(crate) fn head(major: u8, argument: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut out);
    let written = encoder.u64(argument);
    assert!(written.is_ok(), "writing to a vector does not fail");
    out[0] |= major << 5;
    out
}

pub(crate) fn uint(value: u64) -> Vec<u8> {
    head(0, value)
}

/// The integer `-1 - value`.
pub(crate) fn nint(value: u64) -> Vec<u8> {
    head(1, value)
}

pub(crate) fn bstr(bytes: &[u8]) -> Vec<u8> {
    [head(2, bytes.len() as u64), bytes.to_vec()].concat()
}

pub(crate) fn tstr(text: &str) -> Vec<u8> {
    [head(3, text.len() as u64), text.as_bytes().to_vec()].concat()
}

pub(crate) fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len() as u64), items.concat()].concat()
}

pub(crate) fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = head(5, entries.len() as u64);
    for (key, value) in entries {
        out.extend_from_slice(key);
        out.extend_from_slice(value);
    }
    out
}

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

pub(crate) fn suit_digest(bytes: &[u8]) -> Vec<u8> {
    array(&[nint(15), bstr(&sha256(bytes))])
}

/// Which parts of a signature block to make otherwise.
pub(crate) struct Block {
    pub(crate) tag: Vec<u8>,
    pub(crate) protected: Vec<u8>,
    pub(crate) unprotected: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Option<Vec<u8>>,
    pub(crate) tail: Vec<u8>,
}

impl Block {
    pub(crate) fn by(key: &KeyPair) -> Self {
        let kid = sha256(&key.pk[..])[..8].to_vec();
        Self {
            tag: vec![0xd2],
            protected: map(&[(uint(1), nint(18)), (uint(4), bstr(&kid))]),
            unprotected: map(&[]),
            payload: vec![0xf6],
            signature: None,
            tail: Vec::new(),
        }
    }

    /// The block, signed over an encoded SUIT_Digest.
    pub(crate) fn sign(&self, key: &KeyPair, digest: &[u8]) -> Vec<u8> {
        let message = array(&[
            tstr("Signature1"),
            bstr(&self.protected),
            bstr(b""),
            bstr(digest),
        ]);
        let signature = self
            .signature
            .clone()
            .unwrap_or_else(|| key.sk.sign(message, None).to_vec());
        [
            self.tag.clone(),
            array(&[
                bstr(&self.protected),
                self.unprotected.clone(),
                self.payload.clone(),
                bstr(&signature),
            ]),
            self.tail.clone(),
        ]
        .concat()
    }
}

/// An authentication wrapper from an encoded digest and blocks.
pub(crate) fn wrapper(digest: &[u8], blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut items = vec![bstr(digest)];
    items.extend(blocks.iter().map(|block| bstr(block)));
    array(&items)
}

/// An envelope from its entries.
pub(crate) fn envelope(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    [vec![0xd8, 107], map(entries)].concat()
}

/// The entries of an envelope around these manifest bytes, signed with `key`.
pub(crate) fn signed_entries(key: &KeyPair, manifest: &[u8]) -> Entries {
    let manifest = bstr(manifest);
    let digest = suit_digest(&manifest);
    let block = Block::by(key).sign(key, &digest);
    vec![
        (uint(2), bstr(&wrapper(&digest, &[block]))),
        (uint(3), manifest),
    ]
}

/// An envelope around these manifest bytes, signed with `key`.
pub(crate) fn signed(key: &KeyPair, manifest: &[u8]) -> Vec<u8> {
    envelope(&signed_entries(key, manifest))
}

/// A detached manifest, layer by layer, for a test to change one of them.
pub(crate) struct Layers {
    pub(crate) top: Entries,
    pub(crate) common: Entries,
    pub(crate) components: Vec<u8>,
    pub(crate) parameters: Entries,
    /// What follows the parameters in the shared sequence.
    pub(crate) conditions: Vec<Vec<u8>>,
    pub(crate) args: Entries,
    /// What follows the parameters in the invoke sequence.
    pub(crate) invoke: Vec<Vec<u8>>,
    pub(crate) validate: Vec<Vec<u8>>,
    pub(crate) uri: Vec<u8>,
    pub(crate) fetch: Vec<Vec<u8>>,
    pub(crate) install: Vec<Vec<u8>>,
}

/// Keys of the layers that are put together at the end.
const PLACEHOLDER: &[u8] = &[];

impl Layers {
    pub(crate) fn new(payload: &[u8]) -> Self {
        let entry = |key, value: Vec<u8>| (uint(key), value);
        let later = |key| (uint(key), PLACEHOLDER.to_vec());
        let image_match = || vec![uint(3), uint(15)];
        Self {
            top: vec![
                entry(1, uint(1)),
                entry(2, uint(7)),
                later(3),
                later(7),
                later(9),
                later(16),
                later(20),
            ],
            common: vec![later(2), later(4)],
            components: array(&[array(&[bstr(b"vm1")])]),
            parameters: vec![
                entry(1, bstr(&[1; 16])),
                entry(2, bstr(&[2; 16])),
                entry(3, bstr(&suit_digest(payload))),
                entry(14, uint(payload.len() as u64)),
            ],
            conditions: vec![uint(1), uint(15), uint(2), uint(15)],
            args: vec![
                entry(1, tstr("wasmtime48/pulley32/1")),
                entry(2, uint(1_000_000)),
                entry(3, uint(65_536)),
                entry(4, uint(8192)),
                entry(5, uint(3)),
                entry(6, uint(0)),
                entry(7, uint(3)),
                entry(8, bstr(&[0x5a; 32])),
            ],
            invoke: vec![uint(23), uint(2)],
            validate: image_match(),
            uri: tstr("vm1/payload"),
            fetch: vec![uint(21), uint(2), uint(3), uint(15)],
            install: image_match(),
        }
    }

    /// The manifest, put together.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let with = |parameters: &[(Vec<u8>, Vec<u8>)], rest: &[Vec<u8>]| {
            let mut items = vec![uint(20), map(parameters)];
            items.extend_from_slice(rest);
            bstr(&array(&items))
        };
        let fill = |entries: &Entries, made: &[(u64, Vec<u8>)]| {
            let mut entries = entries.clone();
            for (key, value) in &mut entries {
                if let Some((_, made)) = made.iter().find(|(number, _)| uint(*number) == *key)
                    && value.is_empty()
                {
                    value.clone_from(made);
                }
            }
            map(&entries)
        };
        let common = fill(
            &self.common,
            &[
                (2, self.components.clone()),
                (4, with(&self.parameters, &self.conditions)),
            ],
        );
        let args = bstr(&map(&self.args));
        fill(
            &self.top,
            &[
                (3, bstr(&common)),
                (7, bstr(&array(&self.validate))),
                (9, with(&[(uint(23), args)], &self.invoke)),
                (16, with(&[(uint(21), self.uri.clone())], &self.fetch)),
                (20, bstr(&array(&self.install))),
            ],
        )
    }
}

/// Changes the value of a key that has to be there.
pub(crate) fn set(entries: &mut Entries, key: u64, value: Vec<u8>) {
    let found = entries.iter_mut().find(|(known, _)| *known == uint(key));
    found.expect("the key is there").1 = value;
}

/// Takes out a key that has to be there.
pub(crate) fn remove(entries: &mut Entries, key: u64) {
    let before = entries.len();
    entries.retain(|(known, _)| *known != uint(key));
    assert_eq!(entries.len() + 1, before, "the key was there");
}
