//! Trust records: whom devices trust from now on, signed by root keys.

use std::collections::HashSet;

use sealift_manifest::{
    Grants, InvokeSpec, Kind, Manifest, ManifestSpec, Sign, TRUST, TRUST_PROFILE, build_envelope,
};
use sealift_provision::{Keys, Trust};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::key::Key;

/// Whom devices are to trust, and who says so.
#[derive(Debug)]
pub struct TrustRequest<'a> {
    /// The root keys that sign.
    pub keys: &'a [Key],
    /// The sequence number: devices take only what is newer.
    pub sequence: u64,
    /// Whom they trust then.
    pub trust: &'a Trust,
    /// How many root keys have to sign, this one included, whatever the devices
    /// say; the others with [`cosign`](crate::cosign).
    pub signatures: u8,
    /// The SUIT vendor identifier of the devices.
    pub vendor_id: [u8; 16],
    /// The SUIT class identifier of the devices.
    pub class_id: [u8; 16],
}

/// Makes a trust record, if devices would take it.
///
/// # Errors
///
/// [`ZeroSequence`](Error::ZeroSequence), [`KeyTwice`](Error::KeyTwice), [`Trust`](Error::Trust) where it would lock
/// somebody out, [`Encode`](Error::Encode).
pub fn sign_trust(request: &TrustRequest<'_>) -> Result<Vec<u8>> {
    if request.sequence == 0 {
        return Err(Error::ZeroSequence);
    }
    let mut known = HashSet::new();
    for key in request.keys {
        if !known.insert(key.public_key()) {
            return Err(Error::KeyTwice(key.public().key_id().to_string()));
        }
    }
    let record = request.trust.encode()?;
    check(&record, request.keys)?;
    let mut spec = ManifestSpec {
        sequence_number: request.sequence,
        component: TRUST.to_owned(),
        vendor_id: request.vendor_id,
        class_id: request.class_id,
        payload_digest: [0; 32],
        payload_size: 0,
        // Nothing runs, so it gets nothing.
        invoke: InvokeSpec {
            profile: TRUST_PROFILE.to_owned(),
            fuel: 0,
            memory: 0,
            stack: 0,
            grants: Grants::NONE,
            kind: Kind::Persistent,
            floor: 0,
            source_digest: Sha256::digest(&record).into(),
            signatures: request.signatures,
        },
    };
    spec.set_payload(&record)?;
    let keys: Vec<&dyn Sign> = request.keys.iter().map(|key| key as &dyn Sign).collect();
    Ok(build_envelope(&spec, &keys, Some(&record), None)?)
}

/// Reads a record as a device does that has these root keys.
pub(crate) fn check(record: &[u8], roots: &[Key]) -> Result<()> {
    let roots = roots.iter().map(|key| *key.public()).collect();
    Trust::decode(record)?.check(&Keys::roots(roots, 1))?;
    Ok(())
}

/// Whether this is the manifest of a trust record.
pub(crate) fn is_record(manifest: &Manifest<'_>) -> bool {
    manifest.component == TRUST && manifest.invoke.profile == TRUST_PROFILE
}

/// What a trust record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trusted {
    /// Signatures that each capsule needs.
    pub threshold: u8,
    /// The translators.
    pub translators: Vec<Translator>,
    /// The peers.
    pub peers: Vec<Peer>,
}

/// A translator of a trust record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Translator {
    /// Its key's identifier.
    pub key: String,
    /// The components that it may sign for; none if it is for all.
    pub components: Vec<String>,
}

/// A peer of a trust record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// The name in its credential.
    pub subject: String,
    /// SHA-256 of its credential, in hexadecimal.
    pub fingerprint: String,
    /// What it may do.
    pub roles: Vec<&'static str>,
}

impl Trusted {
    /// Reads a record.
    ///
    /// # Errors
    ///
    /// [`Trust`](Error::Trust).
    pub(crate) fn read(record: &[u8]) -> Result<Self> {
        use sealift_manifest::Anchor as _;

        let trust = Trust::decode(record)?;
        let translators = trust.translators.keys.iter().map(|key| Translator {
            key: key.key().key_id().to_string(),
            components: key.components().to_vec(),
        });
        let peers = trust.peers.iter().map(|(roles, credential)| Peer {
            subject: credential.subject().to_owned(),
            fingerprint: hex::encode(credential.fingerprint()),
            roles: roles.names().collect(),
        });
        Ok(Self {
            threshold: trust.translators.threshold,
            translators: translators.collect(),
            peers: peers.collect(),
        })
    }
}
