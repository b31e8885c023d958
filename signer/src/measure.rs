//! What each step of the translation is worth, in bytes of payload. For
//! figures: lengths come out of here, and no code.

use sealift_engine::{Target, translator_config};
use wasmtime::{Engine, OptLevel};

use crate::error::{Error, Result, brief};
use crate::{artifact, slim, wasm};

/// A step of the translation that changes how long a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fuel is counted. The one step that costs.
    Metering,
    /// Cranelift optimises.
    Optimiser,
    /// Names inside of the component are short.
    Names,
    /// Cranelift's settings are left out.
    Settings,
    /// The table of exception handlers is left out.
    Handlers,
    /// The symbol table, empty sections and what else of the file no device
    /// reads is left out.
    Strip,
}

/// How long the payload of a capsule is without one step, or with all.
///
/// # Errors
///
/// What is wrong with the Wasm; see [`translate`](crate::translate).
pub fn payload_without(step: Option<Step>, input: &[u8], target: Target) -> Result<usize> {
    let component = wasm::without_custom_sections(&wasm::component(input)?)?;
    let slimmed = match step {
        Some(Step::Names) => component,
        _ => slim(&component)?,
    };

    let mut config = translator_config(target);
    if step == Some(Step::Metering) {
        config.consume_fuel(false);
    }
    if step == Some(Step::Optimiser) {
        config.cranelift_opt_level(OptLevel::None);
    }
    let artifact = Engine::new(&config)
        .and_then(|engine| engine.precompile_component(&slimmed))
        .map_err(|e| Error::Untranslatable(brief(e.as_ref())))?;

    let stripped = artifact::strip(&artifact)?;
    let section = |bytes: &[u8], name: &str| -> Result<usize> {
        let sections = artifact::sections(bytes)?;
        let found = sections.iter().filter(|section| section.name == name);
        Ok(found.map(|section| section.size).sum())
    };
    // What the step took away, put back.
    let gone = |name| -> Result<usize> {
        Ok(section(&artifact, name)?.saturating_sub(section(&stripped, name)?))
    };
    let back = match step {
        Some(Step::Settings) => gone(artifact::SETTINGS)?,
        Some(Step::Handlers) => gone(artifact::HANDLERS)?,
        Some(Step::Strip) => {
            let both = gone(artifact::SETTINGS)?.saturating_add(gone(artifact::HANDLERS)?);
            artifact
                .len()
                .saturating_sub(stripped.len())
                .saturating_sub(both)
        }
        _ => 0,
    };
    // The table of sections is aligned.
    Ok(stripped.len().saturating_add(back).next_multiple_of(8))
}
