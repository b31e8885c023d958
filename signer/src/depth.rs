//! How deep components, and the types in them, lie in each other.
//!
//! All that read Wasm call themselves for each level: this crate, wasmparser and
//! what is built on it. A level takes three bytes, and one more than fits on the
//! stack ends the process. So this comes before them, and counts.

use wasmparser::{
    BinaryReader, BinaryReaderError, ComponentType, ComponentTypeDeclaration, Parser, Payload,
};

use crate::error::{Error, Result, brief};

/// The most levels of components, and of types. Compilers need four of either,
/// and composing components adds one each time.
const MAX_DEPTH: usize = 16;

/// How the types of components and of instances begin (component model,
/// Binary.md).
const COMPONENT_TYPE: u8 = 0x41;
const INSTANCE_TYPE: u8 = 0x42;
/// How a type begins that is declared in one of them.
const TYPE: u8 = 0x01;

/// Checks that a module or component, which need not be valid, is not too deep
/// to be read.
///
/// # Errors
///
/// [`Error::TooDeep`], and [`Error::InvalidWasm`] where it cannot be told.
pub(crate) fn check(wasm: &[u8]) -> Result<()> {
    let mut open = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(invalid)? {
            Payload::Version { .. } => {
                open += 1;
                refuse_above(open)?;
            }
            Payload::End(_) => open = open.saturating_sub(1),
            Payload::ComponentTypeSection(types) => {
                let range = types.range();
                let section = wasm.get(range.clone()).unwrap_or_default();
                check_types(BinaryReader::new(section, range.start))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Goes through a section of types, without calling itself.
fn check_types(mut section: BinaryReader<'_>) -> Result<()> {
    // Of each type that is open, how much of it is still to come; of the section
    // itself first.
    let mut open = vec![section.read_var_u32().map_err(invalid)?];
    while let Some(left) = open.last_mut() {
        let Some(less) = left.checked_sub(1) else {
            open.pop();
            continue;
        };
        *left = less;
        if open.len() > 1 && peek(&section)? != TYPE {
            // Declares no type, and so has none in it.
            let _: ComponentTypeDeclaration<'_> = section.read().map_err(invalid)?;
            continue;
        }
        if open.len() > 1 {
            section.read_u8().map_err(invalid)?;
        }
        if matches!(peek(&section)?, COMPONENT_TYPE | INSTANCE_TYPE) {
            section.read_u8().map_err(invalid)?;
            open.push(section.read_var_u32().map_err(invalid)?);
            refuse_above(open.len().saturating_sub(1))?;
        } else {
            let _: ComponentType<'_> = section.read().map_err(invalid)?;
        }
    }
    Ok(())
}

fn peek(reader: &BinaryReader<'_>) -> Result<u8> {
    reader.clone().read_u8().map_err(invalid)
}

fn invalid(error: BinaryReaderError) -> Error {
    Error::InvalidWasm(brief(&error))
}

fn refuse_above(depth: usize) -> Result<()> {
    match depth > MAX_DEPTH {
        true => Err(Error::TooDeep { limit: MAX_DEPTH }),
        false => Ok(()),
    }
}
