//! Which signed manifests this device takes.

use sealift_engine::HOST;
use sealift_manifest::{Grants, Kind, Manifest, TRUST, TRUST_PROFILE, Verified, verify_threshold};
use sealift_provision::Keys;
use sealift_wire::Refusal;

use crate::capsule::BUILT;
use crate::refuse;

/// What a manifest is measured against.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// Translator keys that the device trusts, as long as no record of the root
    /// keys says otherwise.
    pub trust: Keys,
    /// The keys that may say otherwise, and sign nothing else; if there are
    /// none, no record is taken, and one in the store counts for nothing.
    pub root: Keys,
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
        let keys = match name {
            TRUST if self.root.is_empty() => {
                return Err(refuse::because(name, &Refusal::NoRoot, Refusal::NoRoot));
            }
            TRUST => &self.root,
            _ => &self.trust,
        };
        let manifest = verify_threshold(head, &keys.keys, keys.threshold)
            .map_err(|error| refuse::envelope(name, error))?;
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
        let profile = match name {
            TRUST => TRUST_PROFILE,
            _ => HOST.profile(),
        };
        if manifest.vendor_id != self.vendor_id || manifest.class_id != self.class_id {
            Some(Refusal::WrongDevice)
        } else if manifest.component != name {
            Some(Refusal::WrongComponent)
        } else if invoke.kind != kind {
            Some(Refusal::WrongKind)
        } else if invoke.profile != profile {
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
