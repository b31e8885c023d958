//! Translating and signing in one step, which cannot be taken apart.

use sealift_engine::{
    DEFAULT_CLASS_ID, DEFAULT_FUEL, DEFAULT_MEMORY, DEFAULT_STACK, DEFAULT_VENDOR_ID, MIN_STACK,
    Target,
};
use sealift_manifest::{
    Grants, InvokeSpec, Kind, ManifestSpec, Sign, TRUST, build_envelope, is_component,
};
use sealift_wire::VM_RUN;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::translate::{Sizes, translate};

/// What to translate, for whom, and what the manifest says about it.
#[derive(Clone, Debug)]
pub struct SignRequest<'a> {
    /// The capsule: a component, or a core module that carries its WIT.
    pub wasm: &'a [u8],
    /// The key that signs.
    pub key: &'a Key,
    /// The component it is for, such as `vm1`.
    pub component: &'a str,
    /// The sequence number: the capsule's version.
    pub sequence: u64,
    /// The kind of machine that will run it.
    pub target: Target,
    /// Whether it stays on the device or runs once.
    pub kind: Kind,
    /// The host interfaces it may import.
    pub grants: Grants,
    /// Fuel for each call.
    pub fuel: u64,
    /// The most linear memory in bytes.
    pub memory: u32,
    /// The interpreter's stack in bytes.
    pub stack: u32,
    /// The rollback floor that the device takes over on confirm.
    pub floor: u64,
    /// The SUIT vendor identifier of the devices.
    pub vendor_id: [u8; 16],
    /// The SUIT class identifier of the devices.
    pub class_id: [u8; 16],
    /// How many translators have to sign, this one included, whatever the
    /// devices say: 1 to 4; the others with [`cosign`](crate::cosign).
    pub signatures: u8,
    /// Whether the payload stands beside the envelope rather than in it.
    pub detached: bool,
}

impl<'a> SignRequest<'a> {
    /// A request for a persistent capsule on a microcontroller of the default
    /// vendor and class, with the default limits and no grants.
    #[must_use]
    pub fn new(wasm: &'a [u8], key: &'a Key, component: &'a str, sequence: u64) -> Self {
        Self {
            wasm,
            key,
            component,
            sequence,
            target: Target::Pulley32,
            kind: Kind::Persistent,
            grants: Grants::NONE,
            fuel: DEFAULT_FUEL,
            memory: DEFAULT_MEMORY,
            stack: DEFAULT_STACK,
            floor: 0,
            vendor_id: DEFAULT_VENDOR_ID,
            class_id: DEFAULT_CLASS_ID,
            signatures: 1,
            detached: false,
        }
    }
}

/// A signed capsule.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The SUIT envelope, with the payload in it unless it was detached.
    pub envelope: Vec<u8>,
    /// The payload, where it was to be detached.
    pub payload: Option<Vec<u8>>,
    /// What the capsule imports.
    pub imports: Grants,
    /// Bytes of linear memory that it starts with.
    pub initial_memory: u64,
    /// How long it was at each step.
    pub sizes: Sizes,
}

/// Translates a capsule and signs the result.
///
/// # Errors
///
/// What is wrong with the capsule (see [`translate`]) or with the request; see
/// [`Error`], 1 to 21, 28, 33, 35 to 39 and 60.
pub fn sign(request: &SignRequest<'_>) -> Result<Signed> {
    check(request)?;
    let translation = translate(request.wasm, request.target, request.kind)?;

    let missing = without(translation.imports, request.grants);
    if !missing.is_empty() {
        return Err(Error::MissingGrants(missing));
    }
    // A device gives as much to all memories, and as much again to all tables.
    let needed = translation.initial_memory.max(translation.initial_tables);
    if needed > u64::from(request.memory) {
        return Err(Error::Memory {
            needed,
            limit: request.memory,
        });
    }

    let mut spec = ManifestSpec {
        sequence_number: request.sequence,
        component: request.component.to_owned(),
        vendor_id: request.vendor_id,
        class_id: request.class_id,
        payload_digest: [0; 32],
        payload_size: 0,
        invoke: InvokeSpec {
            profile: request.target.profile().to_owned(),
            fuel: request.fuel,
            memory: request.memory,
            stack: request.stack,
            grants: request.grants,
            kind: request.kind,
            floor: request.floor,
            source_digest: translation.source_digest,
            signatures: request.signatures,
        },
    };
    spec.set_payload(&translation.payload)?;
    let integrated = (!request.detached).then_some(translation.payload.as_slice());
    let keys: [&dyn Sign; 1] = [request.key];
    let envelope = build_envelope(&spec, &keys, integrated, None)?;
    Ok(Signed {
        envelope,
        payload: request.detached.then_some(translation.payload),
        imports: translation.imports,
        initial_memory: translation.initial_memory,
        sizes: translation.sizes,
    })
}

/// What can be refused before anything is translated.
fn check(request: &SignRequest<'_>) -> Result<()> {
    let name = request.component;
    if !is_component(name.as_bytes()) {
        return Err(Error::ComponentName(name.to_owned()));
    }
    if name == TRUST {
        return Err(Error::TrustComponent);
    }
    match request.kind {
        Kind::Ephemeral if name != VM_RUN => return Err(Error::NotAJob(name.to_owned())),
        Kind::Persistent if name == VM_RUN => return Err(Error::JobComponent),
        _ => {}
    }
    if request.sequence == 0 {
        return Err(Error::ZeroSequence);
    }
    if request.floor > request.sequence {
        return Err(Error::Floor {
            floor: request.floor,
            sequence: request.sequence,
        });
    }
    if request.fuel == 0 {
        return Err(Error::ZeroLimit("fuel"));
    }
    if request.stack < MIN_STACK {
        return Err(Error::SmallStack {
            stack: request.stack,
            least: MIN_STACK,
        });
    }
    Ok(())
}

/// What of `all` is not in `some`.
pub(crate) fn without(all: Grants, some: Grants) -> Grants {
    all.names()
        .filter_map(Grants::from_name)
        .filter(|grant| !some.contains(*grant))
        .fold(Grants::NONE, Grants::union)
}
