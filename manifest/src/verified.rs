//! The checks, and the type that only they can make.

use core::ops::Deref;

use sha2::{Digest as _, Sha256};

use crate::authentication::{Authentication, sha256};
use crate::envelope::Parts;
use crate::key::Anchor;
use crate::manifest::{Delivery, Manifest};
use crate::{Error, MAX_HEAD};

/// Something that was checked. Only this module can make one.
///
/// ```compile_fail
/// # fn forge(manifest: sealift_manifest::Manifest<'static>) {
/// let forged = sealift_manifest::Verified(manifest);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Checks the head of an envelope (see [`MAX_HEAD`]) and reads its manifest.
///
/// Every signature in the envelope has to be good and by a key in `anchors`,
/// and there has to be at least one. So a second signature never makes an
/// envelope acceptable that was not acceptable without it, and a bad one is
/// never passed over. It also means that a second translator's signature keeps
/// an envelope off the devices that trust the first one alone.
///
/// The manifest is read only after its digest and the signatures were found
/// good.
///
/// # Errors
///
/// See [`verify_threshold`].
pub fn verify<'a, A: Anchor>(
    head: &'a [u8],
    anchors: &[A],
) -> Result<Verified<Manifest<'a>>, Error> {
    verify_threshold(head, anchors, 1)
}

/// The same where at least `threshold` keys have to sign, or more if the
/// manifest itself says so. The signatures in an envelope are by different
/// keys, or it does not decode; each of the keys has to be one that may sign
/// for the component.
///
/// # Errors
///
/// The first check that fails, in this order: the envelope's outer shape, the
/// authentication wrapper's shape, the manifest's digest, the signatures in
/// order, their number against `threshold`, the manifest's content, the text's
/// digest, whether manifest and envelope agree on the payload, whether the keys
/// may sign for the component, and the number of signatures that the manifest
/// asks for.
pub fn verify_threshold<'a, A: Anchor>(
    head: &'a [u8],
    anchors: &[A],
    threshold: u8,
) -> Result<Verified<Manifest<'a>>, Error> {
    let (manifest, signatures) = verify_unfinished(head, anchors, threshold)?;
    if signatures < usize::from(manifest.invoke.signatures) {
        return Err(Error::TooFewSignatures);
    }
    Ok(manifest)
}

/// All checks but the last, and the number of signatures: what can be said of
/// an envelope that others have still to sign.
pub(crate) fn verify_unfinished<'a, A: Anchor>(
    head: &'a [u8],
    anchors: &[A],
    threshold: u8,
) -> Result<(Verified<Manifest<'a>>, usize), Error> {
    if head.len() > MAX_HEAD {
        return Err(Error::HeadTooLong);
    }
    let parts = Parts::split(head)?;
    if parts.head_len != head.len() {
        return Err(Error::TrailingBytes);
    }
    let authentication = Authentication::read(parts.authentication)?;
    if sha256(parts.manifest_bstr) != authentication.digest {
        return Err(Error::ManifestDigest);
    }
    let signer = authentication.check(anchors)?;
    let signatures = authentication.count();
    if signatures < usize::from(threshold) {
        return Err(Error::BelowThreshold);
    }
    let manifest = Manifest::read(parts.manifest, authentication.digest, signer)?;
    check_agreement(&parts, &manifest)?;
    authentication.check_scope(anchors, manifest.component)?;
    Ok((Verified(manifest), signatures))
}

/// Checks that the rest of the envelope is what the manifest says.
pub(crate) fn check_agreement(parts: &Parts<'_>, manifest: &Manifest<'_>) -> Result<(), Error> {
    match (parts.text_bstr, manifest.text_digest) {
        (None, _) => {}
        (Some(_), None) => return Err(Error::UnsignedText),
        (Some(text), Some(digest)) => {
            if sha256(text) != digest {
                return Err(Error::TextDigest);
            }
        }
    }
    match (manifest.delivery, parts.payload_len) {
        (Delivery::Detached, None) => Ok(()),
        (Delivery::Integrated, Some(length)) if length == manifest.payload_size => Ok(()),
        (Delivery::Integrated, Some(_)) => Err(Error::IntegratedSize),
        _ => Err(Error::Delivery),
    }
}

/// The bytes that a verified manifest describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<B> {
    bytes: B,
    digest: [u8; 32],
}

impl<B> Payload<B> {
    /// SHA-256 of the bytes: the `payload_digest` of the manifest.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Payload<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl<B> Verified<Payload<B>> {
    /// Gives the bytes back. They are not marked as verified any more.
    pub fn into_inner(self) -> B {
        self.0.bytes
    }
}

impl Verified<Manifest<'_>> {
    /// Checks that `bytes` are the payload: their number and their SHA-256.
    ///
    /// `B` has to give the same bytes each time it is asked, as slices, arrays
    /// and vectors do; if it is a view of flash, nothing may write there as
    /// long as the result lives.
    ///
    /// # Errors
    ///
    /// [`Error::PayloadSize`] or [`Error::PayloadDigest`].
    pub fn admit<B: AsRef<[u8]>>(&self, bytes: B) -> Result<Verified<Payload<B>>, Error> {
        let mut check = self.payload_check();
        check.update(bytes.as_ref());
        check.finish()?;
        Ok(Verified(Payload {
            bytes,
            digest: self.payload_digest,
        }))
    }

    /// Starts the same check for a payload that comes in pieces.
    pub fn payload_check(&self) -> PayloadCheck {
        PayloadCheck {
            hash: Sha256::new(),
            remaining: Some(self.payload_size),
            digest: self.payload_digest,
        }
    }
}

/// The check of a payload that comes in pieces.
#[derive(Clone, Debug)]
#[must_use = "nothing is checked before finish"]
pub struct PayloadCheck {
    hash: Sha256,
    /// Bytes still to come; `None` once there were too many.
    remaining: Option<u32>,
    digest: [u8; 32],
}

impl PayloadCheck {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.remaining = self
            .remaining
            .and_then(|remaining| remaining.checked_sub(u32::try_from(bytes.len()).ok()?));
        if self.remaining.is_some() {
            self.hash.update(bytes);
        }
    }

    /// Says whether the pieces were the payload.
    ///
    /// # Errors
    ///
    /// [`Error::PayloadSize`] or [`Error::PayloadDigest`].
    pub fn finish(self) -> Result<(), Error> {
        if self.remaining != Some(0) {
            return Err(Error::PayloadSize);
        }
        if <[u8; 32]>::from(self.hash.finalize()) != self.digest {
            return Err(Error::PayloadDigest);
        }
        Ok(())
    }
}
