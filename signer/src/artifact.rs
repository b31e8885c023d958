//! The translated artifact: an ELF file of Wasmtime's, cut down to what a
//! device reads.
//!
//! Wasmtime's loader (`CodeMemory::new` and `serialization::check_compatible`)
//! walks the section headers, finds sections by name and ignores the symbol
//! table and its strings. So those go, and so do empty sections. Of the
//! settings only those stay that a loader compares ([`flags`]), and the table
//! of exception handlers becomes an empty one: who catches exceptions reads it,
//! and devices, whose Wasm has none, are built without that code. Every other
//! section keeps its name, type, flags, alignment and bytes.
//!
//! The first section has the entry of the section table that a linker would
//! leave empty, and the table of names has no name.

use object::LittleEndian;
use object::elf::{FileHeader64, SectionHeader64};
use object::read::elf::{FileHeader, SectionHeader};
use sealift_engine::Target;

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::flags;

type Header = FileHeader64<LittleEndian>;
type Entry = SectionHeader64<LittleEndian>;

const FILE_HEADER: usize = size_of::<Header>();
const SECTION_HEADER: usize = size_of::<Entry>();

const NAMES: &str = ".shstrtab";
const UNREAD: [&str; 2] = [".symtab", ".strtab"];
/// Versions, target and settings.
pub(crate) const SETTINGS: &str = ".wasmtime.engine";
/// Who catches exceptions, and where.
pub(crate) const HANDLERS: &str = ".wasmtime.exceptions";

/// No call sites and no handlers. A loader that was built with debug
/// assertions wants a table to be there.
const NO_HANDLERS: [u8; 8] = [0; 8];

/// Wasmtime's marks in the ELF header (wasmtime-environ, `obj.rs`).
const OS_ABI: u8 = 200;
const IS_COMPONENT: u32 = 1 << 1;
const IS_PULLEY32: u32 = 1 << 2;
const IS_PULLEY64: u32 = 1 << 3;

/// One section of a payload: where its bytes went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name, such as `.text`.
    pub name: String,
    /// Its length in bytes, without header and padding.
    pub size: usize,
}

/// A section as it is read and written.
struct Part<'a> {
    name: &'a str,
    kind: u32,
    flags: u64,
    align: u64,
    data: &'a [u8],
}

impl<'a> Part<'a> {
    /// What a device reads of its bytes.
    fn lean(&self) -> Result<Cow<'a, [u8]>> {
        match self.name {
            SETTINGS => flags::without(self.data).map(Cow::Owned),
            HANDLERS => Ok(Cow::Borrowed(&NO_HANDLERS)),
            _ => Ok(Cow::Borrowed(self.data)),
        }
    }
}

fn broken(what: &str) -> Error {
    Error::SelfCheck(format!("the artifact has {what}"))
}

fn parts(artifact: &[u8]) -> Result<(&Header, Vec<Part<'_>>)> {
    let header = Header::parse(artifact).map_err(|_| broken("no ELF header"))?;
    let endian = LittleEndian;
    let sections = header
        .sections(endian, artifact)
        .map_err(|_| broken("no section table"))?;
    let mut found = Vec::new();
    for section in sections.iter() {
        if section.sh_type(endian) == object::elf::SHT_NULL {
            continue;
        }
        let name = sections
            .section_name(endian, section)
            .ok()
            .and_then(|name| std::str::from_utf8(name).ok())
            .ok_or_else(|| broken("a section without a name"))?;
        let name = if name.is_empty() { NAMES } else { name };
        let data = section
            .data(endian, artifact)
            .map_err(|_| broken("a section outside of the file"))?;
        if section.sh_link(endian) != 0 && !UNREAD.contains(&name) {
            return Err(broken("a section that refers to another"));
        }
        found.push(Part {
            name,
            kind: section.sh_type(endian),
            flags: section.sh_flags(endian),
            align: section.sh_addralign(endian),
            data,
        });
    }
    Ok((header, found))
}

fn is_read(part: &Part<'_>) -> bool {
    !part.data.is_empty() && part.name != NAMES && !UNREAD.contains(&part.name)
}

/// Cuts an artifact down to what a device reads.
///
/// # Errors
///
/// [`Error::SelfCheck`] where the artifact is not shaped as expected, and
/// [`Error::TooLarge`].
pub(crate) fn strip(artifact: &[u8]) -> Result<Vec<u8>> {
    let (header, parts) = parts(artifact)?;
    let parts: Vec<_> = parts.into_iter().filter(is_read).collect();

    // The names, each ended by a zero; the first name is the empty one, that of
    // the table of names itself.
    let mut names = vec![0u8];
    let mut name_of = |name: &str| {
        let at = names.len();
        names.extend_from_slice(name.as_bytes());
        names.push(0);
        u32::try_from(at).map_err(|_| Error::TooLarge)
    };

    let mut out = vec![0u8; FILE_HEADER];
    let mut entries = Vec::new();
    for part in &parts {
        let data = part.lean()?;
        pad(&mut out, part.align)?;
        entries.push(section_entry(
            name_of(part.name)?,
            part.kind,
            part.flags,
            part.align,
            (out.len(), data.len()),
        ));
        out.extend_from_slice(&data);
    }
    entries.push(section_entry(
        0,
        object::elf::SHT_STRTAB,
        0,
        1,
        (out.len(), names.len()),
    ));
    out.extend_from_slice(&names);

    pad(&mut out, 8)?;
    let table = out.len();
    let count = u16::try_from(entries.len()).map_err(|_| Error::TooLarge)?;
    out.extend(entries.into_iter().flatten());

    let start = file_header(header, table, count);
    if let Some(space) = out.first_chunk_mut::<FILE_HEADER>() {
        *space = start;
    }
    Ok(out)
}

fn pad(out: &mut Vec<u8>, align: u64) -> Result<()> {
    let align = usize::try_from(align.max(1)).map_err(|_| Error::TooLarge)?;
    out.resize(out.len().next_multiple_of(align), 0);
    Ok(())
}

/// A section header, as in the ELF-64 object file format.
fn section_entry(
    name: u32,
    kind: u32,
    flags: u64,
    align: u64,
    (offset, size): (usize, usize),
) -> [u8; SECTION_HEADER] {
    let mut entry = [0; SECTION_HEADER];
    fill(
        &mut entry,
        &[
            &name.to_le_bytes(),
            &kind.to_le_bytes(),
            &flags.to_le_bytes(),
            &0u64.to_le_bytes(), // address
            &(offset as u64).to_le_bytes(),
            &(size as u64).to_le_bytes(),
            &0u32.to_le_bytes(), // link
            &0u32.to_le_bytes(), // info
            &align.to_le_bytes(),
            &0u64.to_le_bytes(), // entry size
        ],
    );
    entry
}

/// The ELF header of the original, with a section table of `count` entries at
/// `table`, whose last one holds the names.
fn file_header(original: &Header, table: usize, count: u16) -> [u8; FILE_HEADER] {
    let endian = LittleEndian;
    let mut header = [0; FILE_HEADER];
    fill(
        &mut header,
        &[
            ident(original),
            &original.e_type(endian).to_le_bytes(),
            &original.e_machine(endian).to_le_bytes(),
            &original.e_version(endian).to_le_bytes(),
            &0u64.to_le_bytes(), // entry point
            &0u64.to_le_bytes(), // program headers
            &(table as u64).to_le_bytes(),
            &original.e_flags(endian).to_le_bytes(),
            &64u16.to_le_bytes(), // size of this header
            &0u16.to_le_bytes(),  // size of a program header
            &0u16.to_le_bytes(),  // program headers
            &64u16.to_le_bytes(), // size of a section header
            &count.to_le_bytes(),
            &count.saturating_sub(1).to_le_bytes(),
        ],
    );
    header
}

/// The first 16 bytes: class, byte order, ABI.
fn ident(header: &Header) -> &[u8] {
    let bytes = object::bytes_of(header);
    bytes.get(..16).unwrap_or(bytes)
}

fn fill(space: &mut [u8], fields: &[&[u8]]) {
    let bytes = fields.iter().flat_map(|field| field.iter());
    for (to, from) in space.iter_mut().zip(bytes) {
        *to = *from;
    }
}

/// The sections of a payload, in order.
///
/// # Errors
///
/// [`Error::SelfCheck`] where it is not an artifact.
pub(crate) fn sections(payload: &[u8]) -> Result<Vec<Section>> {
    let (_, parts) = parts(payload)?;
    Ok(parts
        .iter()
        .map(|part| Section {
            name: part.name.to_owned(),
            size: part.data.len(),
        })
        .collect())
}

/// Checks that `payload` is `artifact` without what a device does not read: a
/// component for `target`, with everything else as it was.
///
/// # Errors
///
/// [`Error::SelfCheck`].
pub(crate) fn check(artifact: &[u8], payload: &[u8], target: Target) -> Result<()> {
    let (before, old) = parts(artifact)?;
    let (after, new) = parts(payload)?;
    let endian = LittleEndian;

    let flags = after.e_flags(endian);
    let width = match target {
        Target::Pulley32 => IS_PULLEY32,
        Target::Pulley64 => IS_PULLEY64,
    };
    if flags & (IS_COMPONENT | IS_PULLEY32 | IS_PULLEY64) != IS_COMPONENT | width {
        return Err(broken("the marks of another target"));
    }
    let same_kind = ident(after) == ident(before)
        && after.e_ident.os_abi == OS_ABI
        && flags == before.e_flags(endian)
        && after.e_type(endian) == before.e_type(endian)
        && after.e_machine(endian) == before.e_machine(endian);
    if !same_kind {
        return Err(broken("another header after stripping"));
    }

    let kept = old.iter().filter(|part| is_read(part));
    let found = new.iter().filter(|part| part.name != NAMES);
    let same = |(a, b): (&Part<'_>, &Part<'_>)| {
        a.name == b.name
            && a.kind == b.kind
            && a.flags == b.flags
            && a.align == b.align
            && match a.name {
                SETTINGS => flags::only_flags_are_gone(a.data, b.data),
                HANDLERS => b.data == NO_HANDLERS,
                _ => a.data == b.data,
            }
    };
    if kept.clone().count() != found.clone().count() || !kept.zip(found).all(same) {
        return Err(broken("other sections after stripping"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealift_engine::translator_config;

    fn artifact(target: Target) -> Vec<u8> {
        let text = r#"(component (core module (memory 1) (data (i32.const 0) "bytes")
            (func (export "f") (i32.store (i32.const 1) (i32.const 2)))))"#;
        let wasm = wat::parse_str(text).expect("valid text");
        wasmtime::Engine::new(&translator_config(target))
            .and_then(|engine| engine.precompile_component(&wasm))
            .expect("translates")
    }

    #[test]
    fn a_stripped_artifact_passes_and_cannot_be_stripped_further() {
        for target in Target::ALL {
            let artifact = artifact(target);
            let payload = strip(&artifact).expect("an artifact");
            check(&artifact, &payload, target).expect("as it should be");
            assert!(payload.len() < artifact.len());
            assert_eq!(strip(&payload).expect("an artifact"), payload);
        }
    }

    #[test]
    fn the_other_target_is_found_out() {
        let artifact = artifact(Target::Pulley32);
        let payload = strip(&artifact).expect("an artifact");
        assert!(check(&artifact, &payload, Target::Pulley64).is_err());
        let other = strip(&self::artifact(Target::Pulley64)).expect("an artifact");
        assert!(check(&artifact, &other, Target::Pulley32).is_err());
    }

    #[test]
    fn a_change_in_any_section_is_found_out() {
        let artifact = artifact(Target::Pulley32);
        let payload = strip(&artifact).expect("an artifact");
        let (_, parts) = parts(&payload).expect("an artifact");
        let start = payload.as_ptr().addr();
        let places: Vec<_> = parts
            .iter()
            .filter(|part| part.name != NAMES)
            .flat_map(|part| {
                let first = part.data.as_ptr().addr() - start;
                [first, first + part.data.len() - 1]
            })
            .collect();
        assert!(places.len() >= 8);
        for place in places {
            let mut changed = payload.clone();
            changed[place] ^= 1;
            assert!(check(&artifact, &changed, Target::Pulley32).is_err());
        }
    }

    #[test]
    fn broken_files_are_errors() {
        let artifact = artifact(Target::Pulley32);
        for len in 0..artifact.len().min(4096) {
            let cut = artifact.get(..len).expect("shorter");
            assert!(strip(cut).is_err(), "cut to {len}");
        }
        assert!(strip(b"not an artifact").is_err());
    }
}
