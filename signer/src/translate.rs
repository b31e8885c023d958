//! From Wasm to the payload of a manifest.

use sealift_engine::{Target, seal, translator_config};
use sealift_manifest::{Grants, Kind};
use sha2::{Digest, Sha256};
use wasmtime::Engine;

use crate::artifact::{self, Section};
use crate::error::{Error, Result, brief};
use crate::{load, needs, slim, wasm, wit};

/// A capsule, translated and checked, and not yet signed.
#[derive(Clone, Debug)]
pub struct Translation {
    /// The Pulley artifact: what a device stores and loads.
    pub payload: Vec<u8>,
    /// What it was translated for.
    pub target: Target,
    /// Which kind of capsule it was checked to be.
    pub kind: Kind,
    /// The grants that its imports need.
    pub imports: Grants,
    /// SHA-256 of the Wasm as it was given.
    pub source_digest: [u8; 32],
    /// Bytes of linear memory that it starts with.
    pub initial_memory: u64,
    /// Bytes that its tables have on a device then.
    pub initial_tables: u64,
    /// How long it was at each step.
    pub sizes: Sizes,
}

/// Lengths in bytes on the way from Wasm to payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The Wasm as given.
    pub source: usize,
    /// The component without custom sections.
    pub component: usize,
    /// What Wasmtime made of it, once it was made smaller.
    pub translated: usize,
    /// Without what a device does not read.
    pub payload: usize,
    /// Where the bytes of the payload are.
    pub sections: Vec<Section>,
}

/// A payload that this process has just compiled.
pub(crate) struct Artifact {
    payload: Vec<u8>,
    target: Target,
    translated: usize,
}

impl Artifact {
    /// Compiles a component, strips the result and seals it.
    fn compile(component: &[u8], target: Target) -> Result<Self> {
        let artifact = Engine::new(&translator_config(target))
            .and_then(|engine| engine.precompile_component(component))
            .map_err(|e| Error::Untranslatable(brief(e.as_ref())))?;
        let mut payload = artifact::strip(&artifact)?;
        artifact::check(&artifact, &payload, target)?;
        seal(target, &mut payload).map_err(|e| Error::SelfCheck(e.to_string()))?;
        Ok(Self {
            payload,
            target,
            translated: artifact.len(),
        })
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    pub(crate) fn target(&self) -> Target {
        self.target
    }
}

/// Translates a capsule for `target`.
///
/// `wasm` is a component, or a core module that carries its WIT (as
/// `wit-bindgen` leaves it). The same Wasm gives the same bytes, in every
/// process and on every machine.
///
/// # Errors
///
/// What is wrong with the Wasm or with the capsule; see [`Error`], 1 to 12,
/// 18, 19, 28, 35 and 36.
pub fn translate(wasm: &[u8], target: Target, kind: Kind) -> Result<Translation> {
    let component = wasm::component(wasm)?;
    let imports = wit::check(&component, kind)?;
    let component = wasm::without_custom_sections(&component)?;
    let needs = needs::of(&component)?;
    needs.check()?;

    let slimmed = slim(&component)?;
    let artifact = Artifact::compile(&slimmed, target)?;
    load::as_a_device(&artifact)?;
    if u32::try_from(artifact.payload.len()).is_err() {
        return Err(Error::TooLarge);
    }
    Ok(Translation {
        target,
        kind,
        imports,
        source_digest: Sha256::digest(wasm).into(),
        initial_memory: needs.memory,
        initial_tables: needs.elements.saturating_mul(target.pointer()),
        sizes: Sizes {
            source: wasm.len(),
            component: component.len(),
            translated: artifact.translated,
            payload: artifact.payload.len(),
            sections: artifact::sections(&artifact.payload)?,
        },
        payload: artifact.payload,
    })
}
