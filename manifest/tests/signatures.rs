//! What strict Ed25519 means here: signatures that satisfy the equation and
//! have to be refused all the same, and keys that are none.

mod common;

use common::{fake_key, spec};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use curve25519_dalek::traits::IsIdentity;
use sealift_manifest::{EncodeError, Error, KeyError, PublicKey, Sign, build_envelope};
use sha2::{Digest, Sha512};

/// The order of the base point, little endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Signs as its function says, with fake key 1.
struct Forger<F>(F);

impl<F: Fn(&Scalar, &[u8; 32], &[u8]) -> [u8; 64]> Sign for Forger<F> {
    fn public_key(&self) -> [u8; 32] {
        *fake_key(1).pk
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let key = fake_key(1);
        let hash = Sha512::digest(&key.sk[..32]);
        let mut low = [0; 32];
        low.copy_from_slice(&hash[..32]);
        let secret = Scalar::from_bytes_mod_order(clamp_integer(low));
        assert_eq!(
            (secret * ED25519_BASEPOINT_POINT).compress().to_bytes(),
            *key.pk
        );
        (self.0)(&secret, &key.pk, message)
    }
}

/// What a device says to a signature that this function makes.
fn verdict(forge: impl Fn(&Scalar, &[u8; 32], &[u8]) -> [u8; 64]) -> Option<Error> {
    let forger = Forger(forge);
    match build_envelope(&spec(), &[&forger as &dyn Sign], None, None) {
        Ok(_) => None,
        Err(EncodeError::Refused(error)) => Some(error),
        Err(other) => panic!("{other}"),
    }
}

fn challenge(r: &[u8; 32], public: &[u8; 32], message: &[u8]) -> Scalar {
    let mut hash = Sha512::new();
    hash.update(r);
    hash.update(public);
    hash.update(message);
    let mut wide = [0; 64];
    wide.copy_from_slice(&hash.finalize());
    Scalar::from_bytes_mod_order_wide(&wide)
}

/// A signature with this R, whose logarithm is `nonce`.
fn with_r(r: [u8; 32], nonce: Scalar, secret: &Scalar, public: &[u8; 32], m: &[u8]) -> [u8; 64] {
    let s = nonce + challenge(&r, public, m) * secret;
    join(r, s.to_bytes())
}

fn join(r: [u8; 32], s: [u8; 32]) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s);
    signature
}

/// `value` + 2^255 - 19, little endian: not canonical, and read as `value` by
/// those who do not look.
fn plus_p(value: u8) -> [u8; 32] {
    assert!(value < 19);
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed + value;
    bytes[31] = 0x7f;
    bytes
}

#[test]
fn a_signature_made_by_the_book_is_good() {
    let nonce = Scalar::from(123_456_789_u64);
    let r = (nonce * ED25519_BASEPOINT_POINT).compress().to_bytes();
    assert_eq!(verdict(|a, p, m| with_r(r, nonce, a, p, m)), None);
}

#[test]
fn a_scalar_that_is_not_reduced_is_refused() {
    let nonce = Scalar::from(123_456_789_u64);
    let r = (nonce * ED25519_BASEPOINT_POINT).compress().to_bytes();
    let more = |times: u8| {
        verdict(move |a, p, m| {
            let mut signature = with_r(r, nonce, a, p, m);
            for _ in 0..times {
                let mut carry = 0_u16;
                for (byte, order) in signature[32..].iter_mut().zip(L) {
                    carry += u16::from(*byte) + u16::from(order);
                    *byte = carry.to_le_bytes()[0];
                    carry >>= 8;
                }
            }
            signature
        })
    };
    assert_eq!(more(0), None);
    for times in 1..=7 {
        assert_eq!(more(times), Some(Error::SignatureScalar), "S + {times} L");
    }
    let exactly = verdict(|_, _, _| join(r, L));
    assert_eq!(exactly, Some(Error::SignatureScalar));
}

#[test]
fn a_point_r_of_small_order_is_refused() {
    for point in EIGHT_TORSION {
        let r = point.compress().to_bytes();
        let found = verdict(|a, p, m| {
            let signature = with_r(r, Scalar::ZERO, a, p, m);
            // The equation holds, with the cofactor.
            let s = Scalar::from_bytes_mod_order(signature[32..].try_into().expect("32 bytes"));
            let right = point + challenge(&r, p, m) * (a * ED25519_BASEPOINT_POINT);
            let difference: EdwardsPoint = s * ED25519_BASEPOINT_POINT - right;
            assert!(difference.mul_by_cofactor().is_identity());
            signature
        });
        assert_eq!(found, Some(Error::SignaturePoint));
    }
}

#[test]
fn a_point_r_that_is_not_canonical_is_refused() {
    let mut encodings: Vec<[u8; 32]> = (0..19).map(plus_p).collect();
    // The identity with a sign, and the point of order 2 with one.
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut two = plus_p(0);
    two[0] -= 1;
    encodings.extend([identity, two]);
    for mut r in encodings {
        for sign in [0, 0x80] {
            r[31] = r[31] & 0x7f | sign;
            let found = verdict(|a, p, m| with_r(r, Scalar::ZERO, a, p, m));
            assert_eq!(found, Some(Error::SignaturePoint), "{r:02x?}");
        }
    }
}

#[test]
fn a_signature_over_something_else_is_refused() {
    let found = verdict(|_, _, message| *fake_key(1).sk.sign([message, b"x"].concat(), None));
    assert_eq!(found, Some(Error::SignatureMismatch));
    let found = verdict(|_, _, message| *fake_key(2).sk.sign(message, None));
    assert_eq!(found, Some(Error::SignatureMismatch));
}

#[test]
fn a_key_of_small_order_is_none() {
    for point in EIGHT_TORSION {
        assert_eq!(
            PublicKey::from_bytes(&point.compress().to_bytes()).err(),
            Some(KeyError::SmallOrder)
        );
    }
}

#[test]
fn a_key_that_is_not_canonical_is_none() {
    for value in 0..19 {
        for sign in [0, 0x80] {
            let mut bytes = plus_p(value);
            bytes[31] |= sign;
            assert_eq!(
                PublicKey::from_bytes(&bytes).err(),
                Some(KeyError::NotAPoint),
                "p + {value}"
            );
        }
    }
    // x is 0, so there is no negative one.
    let mut identity = [0; 32];
    identity[0] = 1;
    identity[31] = 0x80;
    let mut two = plus_p(0);
    two[0] -= 1;
    two[31] |= 0x80;
    for bytes in [identity, two] {
        assert_eq!(
            PublicKey::from_bytes(&bytes).err(),
            Some(KeyError::NotAPoint)
        );
    }
}

#[test]
fn a_key_that_is_not_on_the_curve_is_none() {
    let bytes = (2..=255)
        .map(|y| {
            let mut bytes = [0; 32];
            bytes[0] = y;
            bytes
        })
        .find(|bytes| {
            curve25519_dalek::edwards::CompressedEdwardsY(*bytes)
                .decompress()
                .is_none()
        })
        .expect("half of all y are not on the curve");
    assert_eq!(
        PublicKey::from_bytes(&bytes).err(),
        Some(KeyError::NotAPoint)
    );
}

#[test]
fn an_unusable_signing_key_is_named() {
    struct Weak;
    impl Sign for Weak {
        fn public_key(&self) -> [u8; 32] {
            EIGHT_TORSION[1].compress().to_bytes()
        }
        fn sign(&self, _: &[u8]) -> [u8; 64] {
            [0; 64]
        }
    }
    assert_eq!(
        build_envelope(&spec(), &[&Weak as &dyn Sign], None, None),
        Err(EncodeError::Key(KeyError::SmallOrder))
    );
}
