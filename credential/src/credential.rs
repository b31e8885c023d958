//! Who somebody is: a credential is a CWT claims set (CCS, RFC 9528 section
//! 3.5.2) with a P-256 public key; an identity is a credential with its private key.

use heapless::Vec;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::elliptic_curve::subtle::{Choice, ConstantTimeEq};
use p256::elliptic_curve::{point::AffineCoordinates, point::DecompressPoint};
use p256::{AffinePoint, SecretKey};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

/// Longest encoded credential, in bytes: sent by value it is in the key exchange
/// twice, in a transcript of at most 255 bytes.
pub const MAX_CREDENTIAL: usize = 109;
/// Longest subject name, in bytes.
pub const MAX_SUBJECT: usize = 20;
/// Longest key identifier, in bytes.
pub const MAX_KID: usize = 8;

/// Why a credential or identity was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CredentialError {
    /// Longer than [`MAX_CREDENTIAL`], or its subject or key identifier is too long.
    TooLong = 1,
    /// Not the claims set that is expected: subject and one P-256 key, in order.
    Format = 2,
    /// Bytes after the claims set.
    Trailing = 3,
    /// The public key is not a point of the curve.
    PublicKey = 4,
    /// The private key is zero or not below the order of the curve.
    PrivateKey = 5,
    /// The private key is not the one of this credential.
    Mismatch = 6,
    /// The subject is empty or has control characters.
    Subject = 7,
    /// More credentials than there is room for.
    TooMany = 8,
}

impl CredentialError {
    /// A stable number for this error.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl core::fmt::Display for CredentialError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the credential, its subject or its key identifier is too long",
            Self::Format => "the credential is not a claims set with one P-256 key",
            Self::Trailing => "the credential is followed by other bytes",
            Self::PublicKey => "the public key is not a point of P-256",
            Self::PrivateKey => "the private key is not a P-256 private key",
            Self::Mismatch => "the private key does not belong to the credential",
            Self::Subject => "the subject name is empty or not printable",
            Self::TooMany => "there are more credentials than there is room for",
        })
    }
}

impl core::error::Error for CredentialError {}

/// A public credential: who a peer is. Two are equal if all their bytes are.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    bytes: Vec<u8, MAX_CREDENTIAL>,
    x: [u8; 32],
    kid: Vec<u8, MAX_KID>,
}

impl Credential {
    /// Reads an encoded claims set: `{2: subject, 8: {1: {1: 2, 2: kid, -1: 1,
    /// -2: x, -3: y}}}`, where subject, kid and y may be missing.
    ///
    /// # Errors
    /// When it is anything else, in another order, or not in the shortest encoding.
    pub fn parse(ccs: &[u8]) -> Result<Self, CredentialError> {
        let bytes = Vec::from_slice(ccs).map_err(|_| CredentialError::TooLong)?;
        let mut read = Reader(ccs);
        match read.byte()? {
            0xa1 => {}
            0xa2 => {
                read.expect(&[2])?;
                let subject = read.string(3)?;
                check_subject(
                    core::str::from_utf8(subject).map_err(|_| CredentialError::Subject)?,
                )?;
            }
            _ => return Err(CredentialError::Format),
        }
        read.expect(&[8, 0xa1, 1])?;
        let entries = read.byte()?;
        read.expect(&[1, 2])?;
        let mut entries = entries.checked_sub(0xa3).ok_or(CredentialError::Format)?;
        let mut kid = Vec::new();
        if read.skip_if(2) {
            entries = entries.checked_sub(1).ok_or(CredentialError::Format)?;
            kid = Vec::from_slice(read.string(2)?).map_err(|_| CredentialError::TooLong)?;
        }
        read.expect(&[0x20, 1, 0x21])?;
        let x: [u8; 32] = read.coordinate()?;
        decompress(&x).ok_or(CredentialError::PublicKey)?;
        if read.skip_if(0x22) {
            entries = entries.checked_sub(1).ok_or(CredentialError::Format)?;
            let y = read.coordinate()?;
            if !on_curve(&x, &y) {
                return Err(CredentialError::PublicKey);
            }
        }
        if entries != 0 {
            return Err(CredentialError::Format);
        }
        if !read.0.is_empty() {
            return Err(CredentialError::Trailing);
        }
        Ok(Self { bytes, x, kid })
    }

    /// Makes the credential of a public key. The key identifier is the start of
    /// the SHA-256 of its x coordinate, so two operators rarely share one; where
    /// they do, a server tells them apart by their keys.
    ///
    /// # Errors
    /// [`CredentialError::Subject`], [`CredentialError::TooLong`].
    pub fn new(subject: &str, public: &p256::PublicKey) -> Result<Self, CredentialError> {
        check_subject(subject)?;
        let length = u8::try_from(subject.len()).map_err(|_| CredentialError::TooLong)?;
        let point = public.to_encoded_point(false);
        let (Some(x), Some(y)) = (point.x(), point.y()) else {
            return Err(CredentialError::PublicKey);
        };
        let digest = Sha256::digest(x);
        let [k0, k1, k2, k3, ..] = digest.as_slice() else {
            return Err(CredentialError::Format);
        };
        let mut bytes: Vec<u8, MAX_CREDENTIAL> = Vec::new();
        for part in [
            &[0xa2, 2, 0x60 | length] as &[u8],
            subject.as_bytes(),
            &[8, 0xa1, 1, 0xa5, 1, 2, 2, 0x44, *k0, *k1, *k2, *k3],
            &[0x20, 1, 0x21, 0x58, 0x20],
            x,
            &[0x22, 0x58, 0x20],
            y,
        ] {
            bytes
                .extend_from_slice(part)
                .map_err(|_| CredentialError::TooLong)?;
        }
        Self::parse(&bytes)
    }

    /// The encoded claims set.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// x coordinate of the public key.
    pub fn x(&self) -> &[u8; 32] {
        &self.x
    }

    /// The key identifier; empty when the credential has none.
    pub fn kid(&self) -> &[u8] {
        &self.kid
    }

    /// The subject name; empty when the credential has none.
    pub fn subject(&self) -> &str {
        let mut read = Reader(&self.bytes);
        if read.byte() == Ok(0xa2) && read.expect(&[2]).is_ok() {
            let subject = read.string(3).unwrap_or_default();
            return core::str::from_utf8(subject).unwrap_or_default();
        }
        ""
    }

    /// SHA-256 of the encoded claims set: a name for logs and comparisons.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }
}

impl core::fmt::Debug for Credential {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Credential")
            .field("subject", &self.subject())
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// A credential together with its private key.
#[derive(Clone)]
pub struct Identity {
    private: Zeroizing<[u8; 32]>,
    credential: Credential,
}

impl Identity {
    /// A new key pair under this subject name (1 to [`MAX_SUBJECT`] bytes).
    ///
    /// # Errors
    /// [`CredentialError::Subject`], [`CredentialError::TooLong`].
    pub fn generate(subject: &str, rng: &mut impl CryptoRngCore) -> Result<Self, CredentialError> {
        let secret = SecretKey::random(rng);
        let credential = Credential::new(subject, &secret.public_key())?;
        Ok(Self::from_parts(&secret, credential))
    }

    /// Puts a private key (32 bytes, big-endian scalar) and its credential together.
    ///
    /// # Errors
    /// When the key is out of range, or belongs to another credential.
    pub fn new(private: &[u8; 32], credential: Credential) -> Result<Self, CredentialError> {
        let secret = SecretKey::from_slice(private).map_err(|_| CredentialError::PrivateKey)?;
        let x = secret.public_key().as_affine().x();
        if !bool::from(x.as_slice().ct_eq(credential.x())) {
            return Err(CredentialError::Mismatch);
        }
        Ok(Self::from_parts(&secret, credential))
    }

    fn from_parts(secret: &SecretKey, credential: Credential) -> Self {
        let mut scalar = secret.to_bytes();
        let mut private = Zeroizing::new([0; 32]);
        private.copy_from_slice(&scalar);
        scalar.as_mut_slice().zeroize();
        Self {
            private,
            credential,
        }
    }

    /// The public part.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The private key: a big-endian scalar.
    pub fn private_key(&self) -> &[u8; 32] {
        &self.private
    }
}

impl core::fmt::Debug for Identity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Identity").field(&self.credential).finish()
    }
}

/// The point with this x coordinate and an even y.
#[must_use]
pub fn decompress(x: &[u8; 32]) -> Option<AffinePoint> {
    AffinePoint::decompress(&(*x).into(), Choice::from(0)).into()
}

/// Whether x and y are the coordinates of a point of the curve.
fn on_curve(x: &[u8; 32], y: &[u8; 32]) -> bool {
    let odd = Choice::from(y[31] & 1);
    let point = Option::<AffinePoint>::from(AffinePoint::decompress(&(*x).into(), odd));
    point.is_some_and(|p| p.to_encoded_point(false).y().map(|y| y.as_slice()) == Some(y))
}

fn check_subject(subject: &str) -> Result<(), CredentialError> {
    if subject.len() > MAX_SUBJECT {
        return Err(CredentialError::TooLong);
    }
    if subject.is_empty() || subject.chars().any(char::is_control) {
        return Err(CredentialError::Subject);
    }
    Ok(())
}

/// Reads the few CBOR forms that a claims set is made of.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, CredentialError> {
        let (&first, rest) = self.0.split_first().ok_or(CredentialError::Format)?;
        self.0 = rest;
        Ok(first)
    }

    fn expect(&mut self, bytes: &[u8]) -> Result<(), CredentialError> {
        self.0 = self.0.strip_prefix(bytes).ok_or(CredentialError::Format)?;
        Ok(())
    }

    fn skip_if(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((&first, rest)) if first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// A string shorter than 24 bytes, of this major type.
    fn string(&mut self, major: u8) -> Result<&'a [u8], CredentialError> {
        let head = self.byte()?;
        if head >> 5 != major || head & 0x1f >= 24 {
            return Err(CredentialError::Format);
        }
        let (value, rest) = self
            .0
            .split_at_checked(usize::from(head & 0x1f))
            .ok_or(CredentialError::Format)?;
        self.0 = rest;
        Ok(value)
    }

    fn coordinate(&mut self) -> Result<[u8; 32], CredentialError> {
        self.expect(&[0x58, 0x20])?;
        let (value, rest) = self.0.split_first_chunk().ok_or(CredentialError::Format)?;
        self.0 = rest;
        Ok(*value)
    }
}
