//! A second signature, by somebody who did not just believe the first one.

use sealift_engine::Target;
use sealift_manifest::{Manifest, add_signature, inspect};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::key::Key;
use crate::sign::without;
use crate::translate::translate;
use crate::trust;

/// Adds the signature of `key` to an envelope that others have signed, over the
/// same digest.
///
/// A capsule is translated again, from `source`, and signed only if that gives
/// the payload of the manifest: like [`sign`](crate::sign), this signs nothing
/// but what it has itself just translated. Of a trust record it is checked that
/// devices would take it. The other signatures are not checked, which needs
/// their keys; see [`verify`](crate::verify).
///
/// # Errors
///
/// [`Error::SourceNeeded`], [`Error::SourceOfNothing`], what is wrong with the
/// envelope or differs from the source, [`Error::SignedAlready`].
pub fn cosign(envelope: &[u8], key: &Key, source: Option<&[u8]>) -> Result<Vec<u8>> {
    let read = inspect(envelope)?;
    let read = read.untrusted();
    if let Some(problem) = read.problems.first() {
        return Err((*problem).into());
    }
    let manifest = &read.manifest;
    match (trust::is_record(manifest), source) {
        (true, None) => {
            let record = read.payload.ok_or(Error::NoPayload)?;
            trust::check(record, std::slice::from_ref(key))?;
        }
        (true, Some(_)) => return Err(Error::SourceOfNothing),
        (false, None) => return Err(Error::SourceNeeded),
        (false, Some(source)) => reproduce(manifest, source)?,
    }
    let known = key.public().key_id();
    if read.key_ids.contains(&known) {
        return Err(Error::SignedAlready(known.to_string()));
    }
    Ok(add_signature(envelope, key)?)
}

/// Translates `source` again; the manifest has to describe what comes of it, by
/// length, digest and grants.
pub(crate) fn reproduce(manifest: &Manifest<'_>, source: &[u8]) -> Result<()> {
    let invoke = &manifest.invoke;
    let target = Target::from_profile(invoke.profile)
        .ok_or_else(|| Error::OtherProfile(invoke.profile.to_owned()))?;
    let translation = translate(source, target, invoke.kind)?;
    if translation.source_digest != invoke.source_digest {
        return Err(Error::OtherSource);
    }
    let digest: [u8; 32] = Sha256::digest(&translation.payload).into();
    if digest != manifest.payload_digest {
        return Err(Error::OtherTranslation);
    }
    if !without(translation.imports, invoke.grants).is_empty() {
        return Err(Error::GrantsDiffer);
    }
    Ok(())
}
