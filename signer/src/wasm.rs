//! What comes in: recognising Wasm, making a component of a core module, and
//! leaving out what a device has no use for.

use std::borrow::Cow;

use wasmparser::{BinaryReader, Parser, Payload, Validator};
use wit_component::ComponentEncoder;

use crate::depth;
use crate::error::{Error, Result, brief};

const MAGIC: &[u8] = b"\0asm";
const ELF_MAGIC: &[u8] = b"\x7fELF";
/// Length of magic number, version and layer.
const HEADER: usize = 8;

/// Sections of a component, by number (component model, Binary.md).
const CUSTOM: u8 = 0;
const CORE_MODULE: u8 = 1;
const COMPONENT: u8 = 4;

/// Makes of the input a component that is valid under the engine profile.
///
/// A component passes as it is. A core module must carry its WIT in a
/// `component-type` section.
///
/// # Errors
///
/// [`Error::AlreadyTranslated`], [`Error::NotWasm`], [`Error::NoInterface`],
/// [`Error::NotComponentizable`], [`Error::TooDeep`], [`Error::InvalidWasm`].
pub(crate) fn component(input: &[u8]) -> Result<Cow<'_, [u8]>> {
    if input.starts_with(ELF_MAGIC) {
        return Err(Error::AlreadyTranslated);
    }
    if !input.starts_with(MAGIC) {
        return Err(Error::NotWasm);
    }
    if Parser::is_component(input) {
        depth::check(input)?;
        validate(input)?;
        return Ok(Cow::Borrowed(input));
    }
    if !Parser::is_core_wasm(input) {
        return Err(Error::NotWasm);
    }
    validate(input)?;
    if !has_interface(input)? {
        return Err(Error::NoInterface);
    }
    let not_componentizable = |e: anyhow::Error| Error::NotComponentizable(brief(&*e));
    let component = ComponentEncoder::default()
        .validate(true)
        .module(input)
        .and_then(|mut encoder| encoder.encode())
        .map_err(not_componentizable)?;
    validate(&component)?;
    Ok(Cow::Owned(component))
}

/// Checks that a module or component is valid under the engine profile.
///
/// # Errors
///
/// [`Error::InvalidWasm`].
pub(crate) fn validate(wasm: &[u8]) -> Result<()> {
    Validator::new_with_features(sealift_engine::FEATURES)
        .validate_all(wasm)
        .map(drop)
        .map_err(|e| Error::InvalidWasm(brief(&e)))
}

/// Whether a core module carries its WIT, which is in the form of a component.
fn has_interface(module: &[u8]) -> Result<bool> {
    let mut found = false;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|e| Error::InvalidWasm(brief(&e)))?;
        if let Payload::CustomSection(section) = payload
            && section.name().starts_with("component-type")
        {
            if !Parser::is_component(section.data()) {
                return Err(Error::NotComponentizable(
                    "its WIT is not in the form of a component".into(),
                ));
            }
            depth::check(section.data())?;
            found = true;
        }
    }
    Ok(found)
}

/// The same component or module without its custom sections, at every depth:
/// names, producers and debugging information, none of which a device reads.
///
/// # Errors
///
/// [`Error::InvalidWasm`] where section sizes do not add up.
pub(crate) fn without_custom_sections(wasm: &[u8]) -> Result<Vec<u8>> {
    let invalid = |e: wasmparser::BinaryReaderError| Error::InvalidWasm(brief(&e));
    let mut reader = BinaryReader::new(wasm, 0);
    let mut out = reader.read_bytes(HEADER).map_err(invalid)?.to_vec();
    let nests = Parser::is_component(wasm);
    while !reader.eof() {
        let id = reader.read_u8().map_err(invalid)?;
        let size = reader.read_var_u32().map_err(invalid)?;
        let size = usize::try_from(size).map_err(|_| Error::TooLarge)?;
        let content = reader.read_bytes(size).map_err(invalid)?;
        match id {
            CUSTOM => {}
            CORE_MODULE | COMPONENT if nests => {
                push_section(&mut out, id, &without_custom_sections(content)?)?;
            }
            _ => push_section(&mut out, id, content)?,
        }
    }
    Ok(out)
}

fn push_section(out: &mut Vec<u8>, id: u8, content: &[u8]) -> Result<()> {
    out.push(id);
    let mut size = u32::try_from(content.len()).map_err(|_| Error::TooLarge)?;
    loop {
        let low = size.to_le_bytes()[0] & 0x7f;
        size >>= 7;
        if size == 0 {
            out.push(low);
            break;
        }
        out.push(low | 0x80);
    }
    out.extend_from_slice(content);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: &str = r#"
        (component $outer
          (core module $m (@custom "x" "module") (memory 3 (pagesize 1)) (func $named))
          (component $inner (@custom "x" "inner") (core module (memory 1)))
          (@custom "x" "outer"))
    "#;

    fn custom_sections(wasm: &[u8]) -> usize {
        Parser::new(0)
            .parse_all(wasm)
            .filter(|p| matches!(p, Ok(Payload::CustomSection(_))))
            .count()
    }

    #[test]
    fn custom_sections_go_at_every_depth_and_the_rest_stays() {
        let wasm = wat::parse_str(NESTED).expect("valid text");
        assert!(custom_sections(&wasm) >= 3);
        let bare = without_custom_sections(&wasm).expect("valid");
        assert_eq!(custom_sections(&bare), 0);
        validate(&bare).expect("still valid");
        assert_eq!(without_custom_sections(&bare).expect("valid"), bare);
        let remaining = |wasm: &[u8]| {
            Parser::new(0)
                .parse_all(wasm)
                .filter(|p| !matches!(p, Ok(Payload::CustomSection(_))))
                .count()
        };
        assert_eq!(remaining(&bare), remaining(&wasm));
    }

    #[test]
    fn a_cut_file_is_an_error_unless_the_cut_is_between_sections() {
        let wasm = wat::parse_str(NESTED).expect("valid text");
        let mut refused = 0;
        for len in 0..wasm.len() {
            let cut = wasm.get(..len).expect("shorter");
            refused += usize::from(component(cut).is_err());
            // Unchecked input is not what these take; they must not panic.
            let _ = without_custom_sections(cut);
            let _ = crate::needs::of(cut);
        }
        assert!(refused > wasm.len() - 20, "{refused} of {}", wasm.len());
    }

    #[test]
    fn sizes_take_as_many_bytes_as_they_need() {
        for len in [0usize, 1, 127, 128, 16_383, 16_384] {
            let mut out = Vec::new();
            push_section(&mut out, 9, &vec![7; len]).expect("small");
            let mut reader = BinaryReader::new(&out, 0);
            assert_eq!(reader.read_u8().expect("id"), 9);
            assert_eq!(reader.read_var_u32().expect("size") as usize, len);
            assert_eq!(reader.read_bytes(len).expect("content"), vec![7; len]);
            assert!(reader.eof());
        }
    }
}
