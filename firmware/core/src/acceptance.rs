//! Which signed manifests this device takes.

use alloc::vec::Vec;

use sealift_engine::HOST;
use sealift_manifest::{Grants, Kind, Manifest, PublicKey, Verified, verify};
use sealift_wire::Refusal;

use crate::capsule::BUILT;
use crate::refuse;

/// What a manifest is measured against.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// Translator keys that the device trusts.
    pub trust: Vec<PublicKey>,
    /// SUIT vendor identifier.
    pub vendor_id: [u8; 16],
    /// SUIT class identifier.
    pub class_id: [u8; 16],
    /// The interfaces that there are on this board, of those that the core
    /// knows. One without hardware behind it can be among them: its capsules
    /// are told so by the error that the interface has for that. A manifest
    /// that grants one that is not is refused, before any transfer.
    pub offered: Grants,
    /// The most that a manifest may ask for.
    pub limits: Limits,
}

/// The most that one capsule may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, in bytes.
    pub memory: u32,
    /// Stack of the interpreter, in bytes.
    pub stack: u32,
    /// Fuel for each call.
    pub fuel: u64,
}

impl Acceptance {
    /// Verifies the head of an envelope for the component `name`, and that it
    /// is meant for this device.
    pub(crate) fn manifest<'a>(
        &self,
        head: &'a [u8],
        name: &str,
        kind: Kind,
    ) -> Result<Verified<Manifest<'a>>, Refusal> {
        let manifest = verify(head, &self.trust).map_err(|error| refuse::envelope(name, error))?;
        let refusal = self.objection(&manifest, name, kind);
        match refusal {
            None => Ok(manifest),
            Some(refusal) => Err(refuse::because(name, &refusal, refusal)),
        }
    }

    fn objection(
        &self,
        manifest: &Verified<Manifest<'_>>,
        name: &str,
        kind: Kind,
    ) -> Option<Refusal> {
        let invoke = &manifest.invoke;
        let Limits {
            memory,
            stack,
            fuel,
        } = self.limits;
        if manifest.vendor_id != self.vendor_id || manifest.class_id != self.class_id {
            Some(Refusal::WrongDevice)
        } else if manifest.component != name {
            Some(Refusal::WrongComponent)
        } else if invoke.kind != kind {
            Some(Refusal::WrongKind)
        } else if invoke.profile != HOST.profile() {
            Some(Refusal::WrongProfile)
        } else if invoke.memory > memory || invoke.stack > stack || invoke.fuel > fuel {
            Some(Refusal::LimitsTooHigh)
        } else if !self.offered.contains(invoke.grants) || !BUILT.contains(invoke.grants) {
            Some(Refusal::NotOffered)
        } else {
            None
        }
    }
}
