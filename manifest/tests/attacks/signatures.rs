//! Signatures that are none: by whom, over what, by which algorithm.

use sealift_manifest::Error;

use crate::attack::{Outcome, changed, key, manifest};
use crate::common::craft::{
    Block, array, bstr, map, nint, sha256, signed, suit_digest, tstr, uint, wrapper,
};
use crate::good::blocks;
use crate::tables::{List, under};

fn kid(number: u8) -> Vec<u8> {
    bstr(&sha256(&key(number).pk[..])[..8])
}

/// A protected header with this algorithm and this name of a key.
fn header(alg: Vec<u8>, kid: Vec<u8>) -> Vec<u8> {
    map(&[(uint(1), alg), (uint(4), kid)])
}

/// The header as it should be, but for the name of the key.
fn named(kid: Vec<u8>) -> Vec<u8> {
    header(nint(18), kid)
}

/// A wrapper with one signature, in the name of one key and by another one.
fn one(digest: &[u8], named: u8, signs: u8) -> Vec<u8> {
    wrapper(digest, &blocks(digest, &[(named, signs)]))
}

pub(crate) fn list(list: &mut List) {
    algorithms(list);
    keys(list);
    what_is_signed(list);
    several(list);
    shapes(list);
}

fn algorithms(list: &mut List) {
    rows! { list.block;
        "alg-eddsa", "NET-23", Error::AlgorithmDeprecated, "algorithm -8, EdDSA without its curve", |b| b.protected = header(nint(7), kid(1));
        "alg-es256", "NET-23", Error::Algorithm, "algorithm -7, ES256", |b| b.protected = header(nint(6), kid(1));
        "alg-es256k", "NET-23", Error::Algorithm, "algorithm -47, ES256K", |b| b.protected = header(nint(46), kid(1));
        "alg-ed448", "NET-23", Error::Algorithm, "algorithm -53, Ed448", |b| b.protected = header(nint(52), kid(1));
        "alg-hmac", "NET-23", Error::Algorithm, "algorithm 5, HMAC: the public key would be the secret", |b| b.protected = header(uint(5), kid(1));
        "alg-rs1", "NET-23", Error::Algorithm, "algorithm -65535, RSA with SHA-1", |b| b.protected = header(nint(65_534), kid(1));
        "alg-reserved", "NET-23", Error::Algorithm, "algorithm 0, which is reserved", |b| b.protected = header(uint(0), kid(1));
        "alg-same-absolute", "NET-23", Error::Algorithm, "algorithm 19 in the place of -19", |b| b.protected = header(uint(19), kid(1));
        "alg-text", "NET-23", Error::UnexpectedType, "the algorithm by its name", |b| b.protected = header(tstr("Ed25519"), kid(1));
        "alg-none", "NET-23", Error::MissingKey, "no algorithm", |b| b.protected = map(&[(uint(4), kid(1))]);
        "alg-empty-header", "NET-23", Error::Truncated, "a protected header of no bytes", |b| b.protected = Vec::new();
        "alg-unprotected", "NET-23", Error::UnprotectedHeader, "a second algorithm, where it is not signed", |b| b.unprotected = map(&[(uint(1), nint(6))]);
        "header-critical", "NET-23", Error::UnknownKey, "a header parameter that has to be understood", |b| b.protected = map(&[(uint(1), nint(18)), (uint(2), array(&[uint(99)])), (uint(4), kid(1))]);
        "header-trailing", "NET-22", Error::TrailingBytes, "a byte behind the protected header", |b| b.protected.push(0);
    }
    let whole = |m: &[u8]| sha256(m);
    let signed = |digest: Vec<u8>| one(&digest, 1, 1);
    rows! { list.wrapped;
        "digest-sha384", "NET-23", Error::DigestAlgorithm, "a digest by SHA-384, of its length", |_| signed(array(&[nint(42), bstr(&[0; 48])]));
        "digest-sha512", "NET-23", Error::DigestAlgorithm, "a digest by SHA-512, of its length", |_| signed(array(&[nint(43), bstr(&[0; 64])]));
        "digest-sha384-by-name", "NET-23", Error::DigestAlgorithm, "the right digest under the name of SHA-384", |m| signed(array(&[nint(42), bstr(&whole(m))]));
        "digest-sha1", "NET-23", Error::DigestAlgorithm, "a digest by SHA-1, of its length", |m| signed(array(&[nint(13), bstr(&whole(m)[..20])]));
        "digest-sha256-64", "NET-23", Error::DigestAlgorithm, "SHA-256 cut to 64 bits, by its own name", |m| signed(array(&[nint(14), bstr(&whole(m)[..8])]));
        "digest-positive", "NET-23", Error::DigestAlgorithm, "algorithm 16 in the place of -16", |m| signed(array(&[uint(16), bstr(&whole(m))]));
        "digest-short", "NET-23", Error::DigestLength, "a digest of 31 bytes", |m| signed(array(&[nint(15), bstr(&whole(m)[..31])]));
        "digest-empty", "NET-23", Error::DigestLength, "a digest of no bytes", |_| signed(array(&[nint(15), bstr(&[])]));
        "digest-long", "NET-23", Error::DigestLength, "a digest of 33 bytes", |m| signed(array(&[nint(15), bstr(&[whole(m), vec![0]].concat())]));
    }
}

fn keys(list: &mut List) {
    // A key of P-256 by its form, as a COSE_Key and as the bytes of a point.
    let p256 = map(&[
        (uint(1), uint(2)),
        (nint(0), uint(1)),
        (nint(1), bstr(&[5; 32])),
        (nint(2), bstr(&[6; 32])),
    ]);
    let point = [&[4][..], &[5; 32], &[6; 32]].concat();
    rows! { list.wrapped;
        "key-stranger", "OP-3", Error::UntrustedKey, "signed by a key that is not trusted", |m| one(&suit_digest(m), 2, 2);
        "key-stranger-as-trusted", "OP-3", Error::SignatureMismatch, "signed by a key that is not trusted, in the name of one that is", |m| one(&suit_digest(m), 1, 2);
        "key-trusted-as-stranger", "OP-3", Error::UntrustedKey, "signed by a trusted key, in the name of one that is not", |m| one(&suit_digest(m), 2, 1);
        "key-other-trusted", "NET-23", Error::SignatureMismatch, "signed by a trusted key, in the name of another trusted one", |m| one(&suit_digest(m), 3, 1);
    }
    rows! { list.block;
        "kid-missing", "NET-23", Error::MissingKey, "no name of a key", |b| b.protected = map(&[(uint(1), nint(18))]);
        "kid-empty", "NET-23", Error::KeyIdLength, "a name of no bytes", |b| b.protected = named(bstr(&[]));
        "kid-short", "NET-23", Error::KeyIdLength, "a name of 7 bytes", |b| b.protected = named(bstr(&sha256(&key(1).pk[..])[..7]));
        "kid-whole-digest", "NET-23", Error::KeyIdLength, "the whole digest of the key as its name", |b| b.protected = named(bstr(&sha256(&key(1).pk[..])));
        "kid-is-the-key", "NET-23", Error::KeyIdLength, "the key itself as its name: it would vouch for itself", |b| b.protected = named(bstr(&key(2).pk[..]));
        "kid-text", "NET-23", Error::UnexpectedType, "a name of text", |b| b.protected = named(tstr("34750f98"));
        "kid-number", "NET-23", Error::UnexpectedType, "a number as a name", |b| b.protected = named(uint(1));
        "kid-ec2-key", "NET-23", Error::UnexpectedType, "a COSE_Key of type EC2 in the place of the name", |b| b.protected = named(p256.clone());
        "kid-of-ec2-key", "NET-23", Error::UntrustedKey, "the name of a P-256 key", |b| b.protected = named(bstr(&sha256(&point)[..8]));
        "kid-of-symmetric-key", "NET-23", Error::UntrustedKey, "the name of a symmetric key", |b| b.protected = named(bstr(&sha256(b"secret")[..8]));
        "kid-of-ec2-key-es256", "NET-23", Error::Algorithm, "ES256 and the name of a P-256 key", |b| b.protected = header(nint(6), bstr(&sha256(&point)[..8]));
        "kid-unprotected", "NET-23", Error::UnprotectedHeader, "another name of a key, where it is not signed", |b| b.unprotected = map(&[(uint(4), kid(3))]);
        "key-in-header", "NET-23", Error::UnexpectedType, "a COSE_Key of the attacker's in the header", |b| b.protected = map(&[(uint(1), nint(18)), (uint(4), kid(1)), (nint(0), p256.clone())]);
    }
    let revoked = signed(&key(4), &manifest().encode());
    let what = "signed by a key that was trusted and is not any more";
    let outcome = Outcome::Envelope(Error::UntrustedKey);
    list.add("key-revoked", "PHY-2", outcome, what, (revoked, None));
    if let Some(last) = list.0.last_mut() {
        last.revoked = true;
    }
}

fn what_is_signed(list: &mut List) {
    let other = suit_digest(b"another manifest");
    rows! { list.wrapped;
        "signature-over-other", "OP-3", Error::SignatureMismatch, "a signature over another digest", |m| wrapper(&suit_digest(m), &blocks(&other, &[(1, 1)]));
        "signature-and-digest-of-other", "OP-3", Error::ManifestDigest, "digest and signature of another manifest", |_| wrapper(&other, &blocks(&other, &[(1, 1)]));
        "digest-without-header", "OP-3", Error::ManifestDigest, "the digest is of the manifest without the head of its byte string", |m| one(&suit_digest(&m[3..]), 1, 1);
        "signature-missing", "OP-3", Error::NoSignature, "no signature", |m| wrapper(&suit_digest(m), &[]);
    }
    let digest = suit_digest(&bstr(&changed(|_| {})));
    let sign = |bytes: &[u8]| Some(key(1).sk.sign(bytes, None).to_vec());
    let zeros = Some(vec![0; 64]);
    rows! { list.block;
        "signature-over-bare-digest", "OP-3", Error::SignatureMismatch, "a signature over the digest, without the structure around it", |b| b.signature = sign(&digest);
        "signature-over-manifest", "OP-3", Error::SignatureMismatch, "a signature over the manifest itself", |b| b.signature = sign(&bstr(&changed(|_| {})));
        "signature-attached-context", "NET-23", Error::SignatureMismatch, "a signature of another context, of a COSE_Sign", |b| b.signature = sign(&array(&[tstr("Signature"), bstr(&[]), bstr(&b.protected), bstr(&[]), bstr(&digest)]));
        "signature-with-external-data", "NET-23", Error::SignatureMismatch, "a signature that covers external data too", |b| b.signature = sign(&array(&[tstr("Signature1"), bstr(&b.protected), bstr(b"x"), bstr(&digest)]));
        "signature-zeros", "NET-23", Error::SignaturePoint, "a signature of zeros", |b| b.signature = zeros;
        "signature-empty", "NET-23", Error::SignatureLength, "a signature of no bytes", |b| b.signature = Some(vec![]);
        "signature-short", "NET-23", Error::SignatureLength, "a signature of 63 bytes", |b| b.signature = Some(vec![1; 63]);
        "signature-long", "NET-23", Error::SignatureLength, "a signature of 65 bytes", |b| b.signature = Some(vec![1; 65]);
        "signature-s-not-reduced", "NET-23", Error::SignatureScalar, "the scalar of the signature is not reduced", |b| b.signature = Some([[1; 32], [0xff; 32]].concat());
    }
}

fn several(list: &mut List) {
    // The blocks stand in the order of their keys' names, whoever is bad.
    let by = |keys: &'static [(u8, u8)]| {
        move |m: &[u8]| {
            let digest = suit_digest(m);
            wrapper(&digest, &blocks(&digest, keys))
        }
    };
    rows! { list.wrapped;
        "two-first-forged", "NET-24", Error::SignatureMismatch, "two trusted names, the first signature forged", by(first_forged());
        "two-second-forged", "NET-24", Error::SignatureMismatch, "two trusted names, the second signature forged", by(second_forged());
        "two-both-forged", "NET-24", Error::SignatureMismatch, "two trusted names, both signatures forged", by(&[(1, 2), (3, 2)]);
        "two-swapped", "NET-24", Error::SignatureMismatch, "two trusted keys, each in the name of the other one", by(&[(1, 3), (3, 1)]);
        "two-second-stranger", "NET-24", Error::UntrustedKey, "a good signature, and then one of a stranger's", by(&[(1, 1), (2, 2)]);
        "two-first-stranger", "NET-24", Error::UntrustedKey, "a signature of a stranger's, and then a good one", by(&[(2, 2), (3, 3)]);
        "two-of-one-key", "NET-24", Error::SignatureOrder, "the same signature twice", |m| { let digest = suit_digest(m); wrapper(&digest, &blocks(&digest, &[(1, 1), (1, 1)])) };
        "two-out-of-order", "NET-24", Error::SignatureOrder, "two good signatures in the wrong order", |m| { let digest = suit_digest(m); let mut both = blocks(&digest, &[(1, 1), (3, 3)]); both.reverse(); wrapper(&digest, &both) };
        "five-signatures", "NET-24", Error::TooManySignatures, "more signatures than an envelope may have", |m| { let digest = suit_digest(m); wrapper(&digest, &vec![Block::by(&key(1)).sign(&key(1), &digest); 5]) };
        "two-second-not-a-block", "NET-24", Error::NotSign1, "a good signature, and nothing in the place of a second one", |m| { let digest = suit_digest(m); wrapper(&digest, &[blocks(&digest, &[(1, 1)]).concat(), vec![0xf6]]) };
        "two-second-downgraded", "NET-24", Error::Algorithm, "a good signature, and a second one by ES256", |m| { let digest = suit_digest(m); let mut both = blocks(&digest, &[(1, 1), (3, 3)]); let es256 = Block { protected: header(nint(6), kid(3)), ..Block::by(&key(3)) }; both[1] = es256.sign(&key(3), &digest); wrapper(&digest, &both) };
    }
}

/// Which of the two trusted names stands first.
fn in_order() -> bool {
    kid(1) < kid(3)
}

fn first_forged() -> &'static [(u8, u8)] {
    match in_order() {
        true => &[(1, 2), (3, 3)],
        false => &[(1, 1), (3, 2)],
    }
}

fn second_forged() -> &'static [(u8, u8)] {
    match in_order() {
        true => &[(1, 1), (3, 2)],
        false => &[(1, 2), (3, 3)],
    }
}

fn shapes(list: &mut List) {
    rows! { list.block;
        "cose-sign", "NET-23", Error::NotSign1, "a COSE_Sign", |b| b.tag = vec![0xd8, 98];
        "cose-mac0", "NET-23", Error::NotSign1, "a COSE_Mac0", |b| b.tag = vec![0xd1];
        "cose-encrypt0", "NET-23", Error::NotSign1, "a COSE_Encrypt0", |b| b.tag = vec![0xd0];
        "cose-no-tag", "NET-23", Error::NotSign1, "a COSE_Sign1 without its tag", |b| b.tag = vec![];
        "cose-attached", "NET-23", Error::AttachedPayload, "a signature that brings its payload along", |b| b.payload = bstr(b"something else");
        "cose-attached-empty", "NET-23", Error::AttachedPayload, "a signature that brings no bytes along", |b| b.payload = bstr(b"");
        "cose-trailing", "NET-22", Error::TrailingBytes, "a byte behind a signature block", |b| b.tail = vec![0];
    }
    rows! { list.wrapped;
        "authentication-empty", "OP-3", Error::ArrayLength, "an authentication wrapper with nothing in it", |_| array(&[]);
        "authentication-trailing", "NET-22", Error::TrailingBytes, "a byte behind the authentication wrapper", |m| [one(&suit_digest(m), 1, 1), vec![0]].concat();
        "authentication-not-wrapped", "NET-22", Error::UnexpectedType, "the digest is not in a byte string", |m| { let digest = suit_digest(m); array(&[digest.clone(), bstr(&blocks(&digest, &[(1, 1)]).concat())]) };
    }
    let plain = bstr(&changed(|_| {}));
    let later = bstr(&changed(|m| {
        crate::common::craft::set(&mut m.top, 2, uint(7))
    }));
    let signed_for = |m: &[u8]| one(&suit_digest(m), 1, 1);
    let swapped = under(&plain, |_| signed_for(&later));
    list.envelope(
        "swapped-signature",
        "NET-18",
        Error::ManifestDigest,
        "the authentication wrapper of another good envelope",
        swapped,
    );
}
