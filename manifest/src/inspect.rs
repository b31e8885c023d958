//! Looking into an envelope without trusting it.

use alloc::vec::Vec;

use crate::Error;
use crate::authentication::{Authentication, sha256};
use crate::cbor::Reader;
use crate::envelope::Parts;
use crate::key::KeyId;
use crate::manifest::{Delivery, Manifest};
use crate::text::Text;
use crate::verified::check_agreement;

/// Something that was read and not checked. There is no way from here to
/// [`Verified`](crate::Verified).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified<T>(T);

impl<T> Unverified<T> {
    /// What was read. Anybody may have written it.
    pub const fn untrusted(&self) -> &T {
        &self.0
    }
}

/// What an envelope says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspected<'a> {
    /// The manifest. Its digest is the real one, not the one in the envelope.
    pub manifest: Manifest<'a>,
    /// The keys that the signatures claim to be by.
    pub key_ids: Vec<KeyId>,
    /// The text for humans, if it is there.
    pub text: Option<Text>,
    /// The integrated payload, if all of it is there.
    pub payload: Option<&'a [u8]>,
    /// What does not fit together, so that a device would object to it, as far
    /// as that can be seen without a key. Fewer signatures than the manifest
    /// asks for are not among it: the others may be still to come.
    pub problems: Vec<Error>,
}

/// Reads an envelope, or the head of one, and checks nothing that needs a key.
///
/// # Errors
///
/// If the bytes cannot be read as an envelope of this profile. Digests that do
/// not fit are no errors here but [problems](Inspected::problems).
pub fn inspect(envelope: &[u8]) -> Result<Unverified<Inspected<'_>>, Error> {
    let parts = Parts::split(envelope)?;
    let authentication = Authentication::read(parts.authentication)?;
    let key_ids: Vec<KeyId> = authentication.blocks().map(|block| block.key_id).collect();
    let first = key_ids.first().copied().ok_or(Error::NoSignature)?;
    let digest = sha256(parts.manifest_bstr);
    let manifest = Manifest::read(parts.manifest, digest, first)?;
    let text = match parts.text_bstr {
        Some(text) => {
            let mut text = Reader::new(text).embedded()?;
            Some(Text::read(&mut text, manifest.component)?)
        }
        None => None,
    };

    let mut problems = Vec::new();
    if digest != authentication.digest {
        problems.push(Error::ManifestDigest);
    }
    problems.extend(check_agreement(&parts, &manifest).err());
    let follow = envelope.get(parts.head_len..).unwrap_or_default();
    let payload = match parts.payload_len {
        Some(length) if length as usize == follow.len() => Some(follow),
        _ => None,
    };
    match payload {
        Some(payload) if sha256(payload) != manifest.payload_digest => {
            problems.push(Error::PayloadDigest);
        }
        None if manifest.delivery == Delivery::Integrated && !follow.is_empty() => {
            problems.push(Error::PayloadSize);
        }
        _ => {}
    }
    Ok(Unverified(Inspected {
        manifest,
        key_ids,
        text,
        payload,
        problems,
    }))
}
