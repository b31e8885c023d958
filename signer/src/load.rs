//! The one place where this crate loads translated code.
#![expect(
    unsafe_code,
    reason = "Wasmtime's deserialize is unsafe, and a check by loading needs it"
)]

use sealift_engine::{DEFAULT_STACK, HOST, Target, config, is_sealed};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::{Error, Result};
use crate::translate::Artifact;

/// Loads a payload under the settings of a device, seal and all, where this
/// machine has the pointer width of the target; elsewhere looks at the seal
/// alone.
///
/// # Errors
///
/// [`Error::SelfCheck`] with what the device would have said.
pub(crate) fn as_a_device(artifact: &Artifact) -> Result<()> {
    if !is_sealed(artifact.target(), artifact.payload()) {
        return Err(Error::SelfCheck("the artifact has no seal".into()));
    }
    if artifact.target() != HOST {
        return Ok(());
    }
    load(artifact.target(), artifact.payload())
}

fn load(target: Target, payload: &[u8]) -> Result<()> {
    let failed = |e: wasmtime::Error| Error::SelfCheck(format!("{e:#}"));
    let engine = Engine::new(&config(target, DEFAULT_STACK as usize)).map_err(failed)?;
    // SAFETY: the only caller passes the payload of an `Artifact`, which has
    // no constructor but the one that compiles with this process's Wasmtime,
    // and whose stripping was compared section by section with what came out
    // of the compiler.
    unsafe { Component::deserialize(&engine, payload) }
        .map(drop)
        .map_err(failed)
}
