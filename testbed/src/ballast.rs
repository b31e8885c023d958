//! Makes a capsule larger without changing what it does: for tests that need a
//! payload of a certain size.

use anyhow::{Context, Result, ensure};

/// Section of a core module that says how many data segments there are.
const DATA_COUNT: u8 = 12;
/// Section of a core module with its data segments.
const DATA: u8 = 11;
/// Kind of a data segment that is put nowhere by itself.
const PASSIVE: u8 = 1;
/// Magic number and version.
const MAGIC: [u8; HEADER] = *b"\0asm\x01\0\0\0";
const HEADER: usize = 8;

/// A core module with one more data segment, of so many bytes, which nothing refers
/// to.
///
/// # Errors
///
/// Where it is not a core module with data.
pub fn with_ballast(module: &[u8], bytes: usize) -> Result<Vec<u8>> {
    let mut out = module.get(..HEADER).context("cut short")?.to_vec();
    ensure!(out == MAGIC, "not a core module");
    let mut done = false;
    for (id, content) in sections(module)? {
        if id != DATA && id != DATA_COUNT {
            put(&mut out, id, content);
            continue;
        }
        let (count, rest) = number(content)?;
        let mut changed = leb(count + 1);
        changed.extend_from_slice(rest);
        if id == DATA {
            changed.push(PASSIVE);
            changed.extend(leb(bytes));
            changed.extend((0..bytes).map(|n| n.to_le_bytes()[0]));
            done = true;
        }
        put(&mut out, id, &changed);
    }
    ensure!(done, "no data in it");
    Ok(out)
}

fn put(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    out.push(id);
    out.extend(leb(content.len()));
    out.extend_from_slice(content);
}

/// The sections of a module, with their identifiers.
fn sections(module: &[u8]) -> Result<Vec<(u8, &[u8])>> {
    let mut rest = module.get(HEADER..).context("cut short")?;
    let mut sections = Vec::new();
    while let Some((&id, after)) = rest.split_first() {
        let (length, after) = number(after)?;
        let (content, after) = after.split_at_checked(length).context("cut short")?;
        sections.push((id, content));
        rest = after;
    }
    Ok(sections)
}

/// An unsigned LEB128 number at the start of `bytes`, and what follows it.
fn number(bytes: &[u8]) -> Result<(usize, &[u8])> {
    let mut value = 0_usize;
    for (place, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok((value, bytes.get(place + 1..).unwrap_or_default()));
        }
    }
    anyhow::bail!("not a number")
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for value in [0, 1, 127, 128, 300, 40_000, 1 << 20] {
            let bytes = [leb(value), vec![9]].concat();
            assert_eq!(number(&bytes).unwrap(), (value, &[9][..]));
        }
        assert!(number(&[0x80]).is_err());
    }

    #[test]
    fn a_segment_is_added_to_those_that_there_are() {
        let module = |sections: &[u8]| [&MAGIC[..], sections].concat();
        let before = module(&[0, 1, 9, 12, 1, 1, 11, 4, 1, 1, 1, b'x', 0, 1, 8]);
        let after = module(&[0, 1, 9, 12, 1, 2, 11, 8, 2, 1, 1, b'x', 1, 2, 0, 1, 0, 1, 8]);
        assert_eq!(with_ballast(&before, 2).unwrap(), after);
        assert!(with_ballast(&module(&[10, 1, 0]), 2).is_err());
        assert!(with_ballast(&before[..before.len() - 1], 2).is_err());
        assert!(with_ballast(b"\0asm\x0d\0\x01\0", 2).is_err());
    }
}
