//! An envelope with its payload, as far as a sender has to understand it.
//!
//! Nothing is verified here: the updater holds no translator key and need not
//! be trusted. The device decides.

use std::ops::Range;

use sealift_manifest::{Delivery, Scan, inspect, scan_head};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// What is to be pushed.
#[derive(Clone, Debug)]
pub struct Package {
    envelope: Vec<u8>,
    head_len: usize,
    detached: Option<Vec<u8>>,
    component: String,
    sequence: u64,
    digest: [u8; 32],
    warnings: Vec<String>,
}

impl Package {
    /// Reads an envelope. `payload` is asked for where the payload is detached.
    ///
    /// # Errors
    ///
    /// [`Error::Envelope`] where it is no envelope of the SUIT profile,
    /// [`Error::NoPayload`], and what `payload` fails with.
    pub fn new<E: From<Error>>(
        envelope: Vec<u8>,
        payload: impl FnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Self, E> {
        let not_one = |error: sealift_manifest::Error| Error::Envelope(error.to_string());
        let head_len = head_len(&envelope)?;
        let inspected = inspect(&envelope).map_err(not_one)?;
        let inspected = inspected.untrusted();
        let manifest = &inspected.manifest;
        let mut warnings: Vec<String> =
            inspected.problems.iter().map(ToString::to_string).collect();
        let detached = match manifest.delivery {
            Delivery::Integrated => None,
            Delivery::Detached => {
                let payload = payload()?.ok_or(Error::NoPayload)?;
                if <[u8; 32]>::from(Sha256::digest(&payload)) != manifest.payload_digest {
                    warnings.push("the payload is not the one that the envelope describes".into());
                }
                Some(payload)
            }
        };
        Ok(Self {
            head_len,
            detached,
            component: manifest.component.to_owned(),
            sequence: manifest.sequence_number,
            digest: manifest.digest,
            warnings,
            envelope,
        })
    }

    /// The component that it is for, such as `vm1`.
    #[must_use]
    pub fn component(&self) -> &str {
        &self.component
    }

    /// The sequence number.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The SUIT digest of the manifest, by which the device names a transfer.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Why the device will refuse it, as far as that can be seen from here.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether the payload is in the envelope.
    #[must_use]
    pub fn is_integrated(&self) -> bool {
        self.detached.is_none()
    }

    /// The whole envelope.
    #[must_use]
    pub fn envelope(&self) -> &[u8] {
        &self.envelope
    }

    /// Length of what comes before the integrated payload, in bytes.
    #[must_use]
    pub fn head_len(&self) -> usize {
        self.head_len
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match &self.detached {
            Some(payload) => payload,
            None => self.envelope.get(self.integrated()).unwrap_or(&[]),
        }
    }

    fn integrated(&self) -> Range<usize> {
        self.head_len..self.envelope.len()
    }
}

/// Whether these bytes are an envelope with its whole payload in it, as an
/// ephemeral capsule has to be.
///
/// # Errors
///
/// [`Error::Envelope`] where they are not.
pub fn check_integrated(envelope: &[u8]) -> Result<(), Error> {
    let wrong = |text: &str| Err(Error::Envelope(text.into()));
    let first = envelope
        .get(..envelope.len().min(sealift_manifest::MAX_HEAD))
        .unwrap_or(envelope);
    match scan_head(first) {
        Ok(Scan::Complete {
            head_len,
            integrated: Some(len),
        }) => {
            let whole = usize::try_from(len)
                .ok()
                .and_then(|len| len.checked_add(head_len));
            if whole == Some(envelope.len()) {
                Ok(())
            } else {
                wrong("the payload in it is cut short")
            }
        }
        Ok(Scan::Complete {
            integrated: None, ..
        }) => wrong("its payload is detached, and one to run has it inside"),
        Ok(Scan::NeedMore) => wrong("it is cut short"),
        Err(error) => Err(Error::Envelope(error.to_string())),
    }
}

fn head_len(envelope: &[u8]) -> Result<usize, Error> {
    match scan_head(envelope) {
        Ok(Scan::Complete { head_len, .. }) => Ok(head_len),
        Ok(Scan::NeedMore) => Err(Error::Envelope("it is cut short".into())),
        Err(error) => Err(Error::Envelope(error.to_string())),
    }
}
