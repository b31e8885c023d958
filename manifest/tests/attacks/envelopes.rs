//! The outermost layer: its entries, and its text.

use sealift_manifest::{Error, MAX_HEAD};

use crate::attack::{UPDATE, changed, manifest};
use crate::common::craft::{bstr, envelope, map, nint, tstr, uint};
use crate::good::{integrated, with_text};
use crate::tables::List;

pub(crate) fn list(list: &mut List) {
    entries(list);
    sizes(list);
    text(list);
}

fn entries(list: &mut List) {
    let other = |key: Vec<u8>| (key, bstr(b"x"));
    rows! { list.entries;
        "envelope-no-manifest", "NET-22", Error::MissingKey, "an envelope without a manifest", |e| { e.pop(); };
        "envelope-no-authentication", "OP-3", Error::MissingKey, "an envelope without authentication", |e| { e.remove(0); };
        "envelope-empty", "NET-22", Error::MissingKey, "an envelope with nothing in it", |e| e.clear();
        "envelope-unsorted", "NET-22", Error::MissingKey, "the manifest before the authentication", |e| e.swap(0, 1);
        "envelope-two-authentications", "NET-22", Error::KeyOrder, "the authentication twice", |e| e.insert(0, e[0].clone());
        "envelope-two-manifests", "NET-22", Error::KeyOrder, "the manifest twice", |e| e.push(e[1].clone());
        "envelope-another-manifest", "NET-22", Error::KeyOrder, "a second manifest that nobody signed", |e| e.push((uint(3), bstr(&changed(|m| m.validate.clear()))));
        "envelope-delegation", "OP-4", Error::UnknownKey, "a delegation chain", |e| e.insert(0, other(uint(1)));
        "envelope-install", "OP-4", Error::UnknownKey, "an install sequence beside the manifest", |e| e.push(other(uint(20)));
        "envelope-another-payload", "NET-25", Error::UnknownKey, "a payload under another name", |e| e.push(other(tstr("#another")));
        "envelope-dependency", "OP-4", Error::UnexpectedType, "a dependency", |e| e.push(other(bstr(b"dependency")));
        "envelope-negative-key", "NET-22", Error::UnexpectedType, "an entry under a negative key", |e| e.push(other(nint(0)));
        "envelope-payload-twice", "NET-25", Error::UnknownKey, "two payloads", |e| e.extend([(uint(23), bstr(&map(&[]))), (tstr("#capsule"), bstr(b"x")), (tstr("#capsule"), bstr(b"x"))]);
        "envelope-text-behind-payload", "NET-22", Error::UnexpectedType, "text behind the payload", |e| e.extend([(tstr("#capsule"), bstr(b"x")), (uint(23), bstr(&map(&[])))]);
        "envelope-empty-payload", "NET-25", Error::EmptyPayload, "a payload of no bytes inside", |e| e.push((tstr("#capsule"), bstr(b"")));
        "envelope-payload-not-named", "NET-25", Error::Delivery, "a payload inside where the manifest has it come on its own", |e| e.push((tstr("#capsule"), bstr(UPDATE)));
    }
    let good = crate::common::craft::signed(&crate::attack::key(1), &manifest().encode());
    rows! { list.envelope;
        "envelope-no-tag", "NET-22", Error::NotAnEnvelope, "an envelope without its tag", good[2..].to_vec();
        "envelope-other-tag", "NET-22", Error::NotAnEnvelope, "an envelope under the tag of a manifest, 1070", [&[0xd9, 0x04, 0x2e][..], &good[2..]].concat();
        "envelope-long-tag", "NET-22", Error::NotAnEnvelope, "the tag in more bytes than it needs", [&[0xd9, 0, 107][..], &good[2..]].concat();
        "envelope-in-a-string", "NET-22", Error::NotAnEnvelope, "an envelope in a byte string", bstr(&good);
        "envelope-endless", "NET-22", Error::Indefinite, "an envelope of indefinite length", [&good[..2], &[0xbf], &good[3..], &[0xff]].concat();
        "envelope-trailing", "NET-25", Error::TrailingBytes, "a byte behind the envelope", [&good[..], &[0]].concat();
        "envelope-trailing-null", "NET-25", Error::TrailingBytes, "a null behind the envelope", [&good[..], &[0xf6]].concat();
        "envelope-trailing-envelope", "NET-25", Error::TrailingBytes, "a second envelope behind the first one", [&good[..], &good[..]].concat();
        "envelope-truncated", "NET-22", Error::Truncated, "an envelope without its last byte", good[..good.len() - 1].to_vec();
        "envelope-deep", "NET-22", Error::NotAnEnvelope, "500 arrays, each inside of the one before", [vec![0x81; 500], uint(0)].concat();
    }
}

fn sizes(list: &mut List) {
    let whole = integrated(manifest(), UPDATE);
    let head = &whole[..whole.len() - UPDATE.len()];
    let length = (UPDATE.len() as u16 + 1).to_be_bytes();
    let longer = [&head[..head.len() - 2], &length, UPDATE, &[0]].concat();
    let mut without = head[..head.len() - 3 - 9].to_vec();
    without[2] = 0xa2;
    let huge = [&head[..head.len() - 3], &[0x5b, 0, 0, 0, 1, 0, 0, 0, 0]].concat();
    let padded = envelope(&[(uint(2), bstr(&[0; MAX_HEAD])), (uint(3), bstr(&[]))]);
    rows! { list.envelope;
        "integrated-size", "NET-25", Error::IntegratedSize, "a payload inside that is longer than the manifest says", longer;
        "integrated-missing", "NET-25", Error::Delivery, "a manifest with its payload inside, and none is", without;
        "integrated-huge", "NET-25", Error::PayloadTooLong, "a payload inside of more than 4 GiB, by its length", huge;
        "head-too-long", "NET-25", Error::HeadTooLong, "an envelope without an end in the first 1024 bytes", padded;
    }
}

fn text(list: &mut List) {
    let (first, second) = (with_text("first"), with_text("other"));
    let joined = |places: [usize; 3], from: [usize; 3]| {
        let both = [&first, &second];
        let entries: Vec<_> = places
            .into_iter()
            .zip(from)
            .map(|(place, from)| both[from][place].clone())
            .collect();
        envelope(&entries)
    };
    let plain = crate::common::craft::signed_entries(&crate::attack::key(1), &manifest().encode());
    let long = with_text(&"x".repeat(MAX_HEAD));
    let mut altered = envelope(&first);
    if let Some(last) = altered.last_mut() {
        *last ^= 0x20;
    }
    rows! { list.envelope;
        "text-swapped", "NET-18", Error::TextDigest, "the text of another good envelope", joined([0, 1, 2], [0, 0, 1]);
        "text-kept", "NET-18", Error::ManifestDigest, "the manifest of another good envelope under authentication and text of the first", joined([0, 1, 2], [0, 1, 0]);
        "text-altered", "OP-4", Error::TextDigest, "one letter of the text altered", altered;
        "text-added", "OP-4", Error::UnsignedText, "text where none was signed", envelope(&[plain[0].clone(), plain[1].clone(), first[2].clone()]);
        "text-empty", "OP-4", Error::TextDigest, "the text emptied, not taken out", envelope(&[first[0].clone(), first[1].clone(), (uint(23), bstr(&[]))]);
        "text-overlong", "NET-25", Error::HeadTooLong, "signed text that is longer than a head may be", envelope(&long);
    }
}
