//! The authentication wrapper: digest and signatures.
//!
//! `kid` stands in the *protected* header. The signature then covers which key
//! made it, the unprotected header can be required to be empty, and nobody can
//! change a byte of a signature block without breaking it.

use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::cbor::{EMPTY_MAP, Major, NULL, Reader};
use crate::key::{Anchor, KeyId};
use crate::labels::{ALG_ED25519, ALG_EDDSA, ALG_SHA_256, HEADER_ALG, HEADER_KID, TAG_SIGN1};

/// The most signatures that one envelope may have.
pub const MAX_SIGNATURES: usize = 4;

/// The most elements of an authentication wrapper: the digest, and signatures.
const MAX_ELEMENTS: u64 = MAX_SIGNATURES as u64 + 1;

/// `["Signature1", ...`: how every Sig_structure begins (RFC 9052, section 4.4).
const SIG_STRUCTURE: &[u8] = b"\x84\x6aSignature1";
/// The empty external_aad, and the byte string header of an encoded
/// SUIT_Digest, which has 36 bytes if it is SHA-256 in its shortest encoding.
const AAD_AND_PAYLOAD_HEAD: &[u8] = &[0x40, 0x58, 36];

/// What a signature is over: the parts of the Sig_structure.
///
/// `protected` is the protected header with its byte string header, `digest`
/// the encoded SUIT_Digest without.
pub(crate) fn signed_parts<'a>(protected: &'a [u8], digest: &'a [u8]) -> [&'a [u8]; 4] {
    [SIG_STRUCTURE, protected, AAD_AND_PAYLOAD_HEAD, digest]
}

/// Reads a SUIT_Digest (section 10 of the draft).
pub(crate) fn read_digest(reader: &mut Reader<'_>) -> Result<[u8; 32], Error> {
    reader.array(2)?;
    if reader.integer()? != ALG_SHA_256 {
        return Err(Error::DigestAlgorithm);
    }
    reader.array_of(Error::DigestLength)
}

/// The digest that a SUIT_Digest of this profile has for `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The authentication wrapper, read but not checked.
pub(crate) struct Authentication<'a> {
    /// The digest of the manifest.
    pub(crate) digest: [u8; 32],
    /// The same, as encoded: what the signatures are over.
    encoded_digest: &'a [u8],
    blocks: [Option<Block<'a>>; MAX_SIGNATURES],
}

/// A COSE_Sign1.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub(crate) key_id: KeyId,
    protected: &'a [u8],
    signature: [u8; 64],
    /// The whole of it.
    #[cfg(feature = "encode")]
    pub(crate) encoded: &'a [u8],
}

impl<'a> Authentication<'a> {
    /// Reads the authentication wrapper.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let elements = reader.head(Major::Array, MAX_ELEMENTS, Error::TooManySignatures)?;
        let signatures = match elements.checked_sub(1) {
            None => return Err(Error::ArrayLength),
            Some(0) => return Err(Error::NoSignature),
            Some(signatures) => signatures,
        };
        let encoded_digest = reader.bytes(usize::MAX, Error::Truncated)?;
        let mut inner = Reader::new(encoded_digest);
        let digest = read_digest(&mut inner)?;
        inner.finish()?;

        let mut blocks = [None; MAX_SIGNATURES];
        let mut last: Option<KeyId> = None;
        for (slot, _) in blocks.iter_mut().zip(0..signatures) {
            let block = Block::read(reader.embedded()?)?;
            if last.is_some_and(|last| block.key_id <= last) {
                return Err(Error::SignatureOrder);
            }
            last = Some(block.key_id);
            *slot = Some(block);
        }
        reader.finish()?;
        Ok(Self {
            digest,
            encoded_digest,
            blocks,
        })
    }

    /// The signatures, in the order of their keys.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block<'a>> {
        self.blocks.iter().flatten()
    }

    /// How many signatures there are, each by another key.
    pub(crate) fn count(&self) -> usize {
        self.blocks().count()
    }

    /// Checks that every key that signed may do so for `component`.
    pub(crate) fn check_scope<A: Anchor>(
        &self,
        anchors: &[A],
        component: &str,
    ) -> Result<(), Error> {
        let within = |block: &Block<'_>| {
            find(anchors, block.key_id).is_some_and(|anchor| anchor.may_sign(component))
        };
        match self.blocks().all(within) {
            true => Ok(()),
            false => Err(Error::OutOfScope),
        }
    }

    /// Checks that every signature is good and by one of `anchors`. Returns the
    /// key of the first one.
    pub(crate) fn check<A: Anchor>(&self, anchors: &[A]) -> Result<KeyId, Error> {
        let mut signer = None;
        for block in self.blocks() {
            let anchor = find(anchors, block.key_id).ok_or(Error::UntrustedKey)?;
            anchor.key().check(
                &signed_parts(block.protected, self.encoded_digest),
                &block.signature,
            )?;
            signer = signer.or(Some(block.key_id));
        }
        signer.ok_or(Error::NoSignature)
    }
}

fn find<A: Anchor>(anchors: &[A], id: KeyId) -> Option<&A> {
    anchors.iter().find(|anchor| anchor.key().key_id() == id)
}

impl<'a> Block<'a> {
    fn read(mut reader: Reader<'a>) -> Result<Self, Error> {
        #[cfg(feature = "encode")]
        let first = reader.position();
        // Tag 18 is small enough to be one byte.
        reader.literal(&[0xc0 | TAG_SIGN1], Error::NotSign1)?;
        reader.array(4)?;
        let start = reader.position();
        let header = reader.embedded()?;
        let protected = reader.since(start);
        let key_id = read_header(header)?;
        reader.literal(&[EMPTY_MAP], Error::UnprotectedHeader)?;
        reader.literal(&[NULL], Error::AttachedPayload)?;
        let signature = reader.array_of(Error::SignatureLength)?;
        #[cfg(feature = "encode")]
        let encoded = reader.since(first);
        reader.finish()?;
        Ok(Self {
            key_id,
            protected,
            signature,
            #[cfg(feature = "encode")]
            encoded,
        })
    }
}

/// Reads the protected header: algorithm and key.
fn read_header(mut reader: Reader<'_>) -> Result<KeyId, Error> {
    let mut keys = reader.map()?;
    keys.required(&mut reader, HEADER_ALG)?;
    match reader.integer()? {
        ALG_ED25519 => {}
        ALG_EDDSA => return Err(Error::AlgorithmDeprecated),
        _ => return Err(Error::Algorithm),
    }
    keys.required(&mut reader, HEADER_KID)?;
    let key_id = KeyId(reader.array_of(Error::KeyIdLength)?);
    keys.end(&mut reader)?;
    reader.finish()?;
    Ok(key_id)
}
