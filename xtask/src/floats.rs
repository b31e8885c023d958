//! Wasmtime 48 switches between fibers on Arm without the floating-point
//! registers that a function has to preserve (AAPCS, 6.1.2.1: `s16` to `s31`,
//! which are `d8` to `d15`). So nothing that can be under way at a switch may
//! keep a value there, and a function that wants to says so: it saves them.

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// Where functions may, as no switch is ever below them: in arithmetic, and in
/// the interpreter, which returns to who runs it where a capsule calls the host.
const LEAVES: [&str; 3] = ["libm", "8libcalls3raw", "pulley_interpreter"];

/// Checks that no other function of an image saves these registers.
///
/// # Errors
///
/// The first one that does.
pub(crate) fn stay_where_they_are(file: &object::File<'_>) -> Result<()> {
    let text = file.section_by_name(".text").context("no code")?;
    let code = text.data()?;
    for (index, pair) in code.windows(4).step_by(2).enumerate() {
        let &[a, b, c, d] = pair else { continue };
        if !saves([u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]) {
            continue;
        }
        let address = text.address() + 2 * u64::try_from(index)?;
        // Between functions are constants.
        if let Some(name) = function(file, address)
            && !LEAVES.iter().any(|leaf| name.contains(leaf))
        {
            bail!("{name} keeps floating-point registers, at {address:#x}");
        }
    }
    Ok(())
}

/// Whether these are `VPUSH` (Armv7-M Architecture Reference Manual, A7.7.249)
/// of registers from `s16` or `d8` on, or up to there.
fn saves([first, second]: [u16; 2]) -> bool {
    if first & !0x40 != 0xed2d || second & 0x0e00 != 0x0a00 {
        return false;
    }
    let (high, low) = (first >> 6 & 1, second >> 12);
    let words = second & 0xff;
    let double = second & 0x0100 != 0;
    let first_single = if double {
        2 * (high << 4 | low)
    } else {
        low << 1 | high
    };
    first_single + words > 16
}

/// The function that has this address in it.
fn function<'f>(file: &object::File<'f>, address: u64) -> Option<&'f str> {
    let symbol = file.symbols().find(|symbol| {
        let start = symbol.address() & !1;
        symbol.kind() == SymbolKind::Text && (start..start + symbol.size()).contains(&address)
    })?;
    symbol.name().ok()
}

#[cfg(test)]
mod tests {
    use super::saves;

    #[test]
    fn pushes_of_the_upper_half_are_recognised() {
        // vpush {d8}; {d7-d8}; {d8-d15}; {s16}; {s31}.
        for words in [
            [0xed2d, 0x8b02],
            [0xed2d, 0x7b04],
            [0xed2d, 0x8b10],
            [0xed2d, 0x8a01],
            [0xed6d, 0xfa01],
        ] {
            assert!(saves(words), "{words:x?}");
        }
        // vpush {d0-d7}; {s0-s15}; push {r4, lr}; vstmia r1!, {d8}.
        for words in [
            [0xed2d, 0x0b10],
            [0xed2d, 0x0a10],
            [0xe92d, 0x4010],
            [0xeca1, 0x8b02],
        ] {
            assert!(!saves(words), "{words:x?}");
        }
    }
}
