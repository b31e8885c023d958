//! A capsule for tests.

use std::boxed::Box;
use std::vec::Vec;

use sealift_manifest::{Error, Manifest, PublicKey, Verified, verify};

/// An envelope that was verified, and payload bytes to send after its head.
#[derive(Clone, Debug)]
pub struct Capsule {
    /// The head of the envelope.
    pub head: &'static [u8],
    /// The bytes to send as its payload, honest or not.
    pub payload: Vec<u8>,
    /// The verified manifest.
    pub manifest: Verified<Manifest<'static>>,
}

impl Capsule {
    /// Verifies the head. It is never freed: tests keep few of them.
    ///
    /// # Errors
    /// Those of [`verify`].
    pub fn new(head: Vec<u8>, payload: Vec<u8>, anchors: &[PublicKey]) -> Result<Self, Error> {
        let head: &'static [u8] = Box::leak(head.into_boxed_slice());
        Ok(Self {
            head,
            payload,
            manifest: verify(head, anchors)?,
        })
    }

    /// Whether the payload is the one that the manifest describes.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        self.manifest.admit(&self.payload).is_ok()
    }
}
