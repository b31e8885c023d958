//! Heads that just fit, and those one byte longer, with each width of a
//! length in the part at the end.

mod common;

use common::craft::{bstr, envelope, head, tstr, uint};
use common::{anchor, fake_key, spec};
use sealift_manifest::{
    EncodeError, Error, MAX_HEAD, Scan, Sign, Text, build_envelope, scan_head, verify,
};

/// An envelope whose parts are filled so that the head has `length` bytes.
fn filled(length: usize, parts: impl Fn(usize) -> Vec<(Vec<u8>, Vec<u8>)>) -> Vec<u8> {
    let fill = (0..length).find(|fill| envelope(&parts(*fill)).len() >= length);
    let bytes = envelope(&parts(fill.expect("some fill is enough")));
    assert_eq!(bytes.len(), length, "the width of a length is in the way");
    bytes
}

/// Checks the longest head and the next one.
fn at_the_limit(parts: impl Fn(usize) -> Vec<(Vec<u8>, Vec<u8>)>) {
    let longest = filled(MAX_HEAD, &parts);
    let complete = Scan::Complete {
        head_len: MAX_HEAD,
        integrated: None,
    };
    assert_eq!(scan_head(&longest), Ok(complete));
    let longer = filled(MAX_HEAD + 1, &parts);
    // It shows as soon as the length of the last part is there.
    assert_eq!(scan_head(&longer), Err(Error::HeadTooLong));
    assert_eq!(scan_head(&longer[..MAX_HEAD]), Err(Error::HeadTooLong));
}

#[test]
fn the_last_part_ends_within_the_longest_head() {
    for last in [0, 1, 23, 24, 255, 256, 600] {
        at_the_limit(|fill| {
            vec![
                (uint(2), bstr(&[0; 100])),
                (uint(3), bstr(&vec![0; fill])),
                (uint(23), bstr(&vec![0; last])),
            ]
        });
        at_the_limit(|fill| {
            vec![
                (uint(2), bstr(&vec![0; fill])),
                (uint(3), bstr(&vec![0; last])),
            ]
        });
    }
}

#[test]
fn what_has_to_follow_has_room() {
    // Behind the manifest: a text of no bytes and the key of a payload with
    // its length.
    let behind = 2 + tstr("#capsule").len() + 1;
    for manifest in [23, 24, 255, 256] {
        let parts = |fill: usize| {
            vec![
                (uint(2), bstr(&vec![0; fill])),
                (uint(3), bstr(&vec![0; manifest])),
            ]
        };
        let four = |length: usize| {
            let mut bytes = filled(length, parts);
            bytes[2] = 0xa4;
            bytes
        };
        assert_eq!(scan_head(&four(MAX_HEAD - behind)), Ok(Scan::NeedMore));
        assert_eq!(
            scan_head(&four(MAX_HEAD - behind + 1)),
            Err(Error::HeadTooLong)
        );
    }
}

#[test]
fn the_length_of_an_integrated_payload_is_in_the_head() {
    for length in [1, 23, 24, 255, 256, 0xffff, 0x1_0000, u32::MAX] {
        let start = |fill: usize| {
            let mut start = envelope(&[
                (uint(2), bstr(&vec![0; fill])),
                (uint(3), bstr(&[])),
                (tstr("#capsule"), head(2, u64::from(length))),
            ]);
            start[2] = 0xa3;
            start
        };
        let fill = MAX_HEAD - start(300).len() + 300;
        let longest = start(fill);
        let complete = Scan::Complete {
            head_len: MAX_HEAD,
            integrated: Some(length),
        };
        assert_eq!(scan_head(&longest), Ok(complete));
        let longer = start(fill + 1);
        assert_eq!(longer.len(), MAX_HEAD + 1);
        // It shows with the first byte of the length.
        for end in longer.len() - width(length) + 1..=longer.len() {
            assert_eq!(
                scan_head(&longer[..end]),
                Err(Error::HeadTooLong),
                "{length}"
            );
        }
    }
}

/// Bytes of the head of a byte string of this length.
fn width(length: u32) -> usize {
    head(2, u64::from(length)).len()
}

#[test]
fn the_longest_head_verifies() {
    let key = fake_key(1);
    let build = |len: usize| {
        let text = Text::describing(&"x".repeat(len));
        build_envelope(&spec(), &[&key as &dyn Sign], None, Some(&text))
    };
    let short = build(300).expect("fits").len();
    let len = 300 + MAX_HEAD - short;
    let longest = build(len).expect("just fits");
    assert_eq!(longest.len(), MAX_HEAD);
    assert!(verify(&longest, &[anchor(&key)]).is_ok());
    let refused = EncodeError::Refused(Error::HeadTooLong);
    assert_eq!(build(len + 1).err(), Some(refused));
}
