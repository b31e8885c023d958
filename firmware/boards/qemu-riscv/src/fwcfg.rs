//! What QEMU was told on its command line for the board, by its fw_cfg device:
//! the words of `-append`.

use crate::registers::Peripheral::FwCfg;

const DATA: u32 = 0;
const SELECTOR: u32 = 8;

const SIGNATURE: u16 = 0x00;
const COMMAND_LINE: u16 = 0x15;
/// As much as is looked at.
const LONGEST: usize = 256;

/// Whether this word is in the command line.
pub(crate) fn is_given(word: &str) -> bool {
    select(SIGNATURE);
    if bytes() != *b"QEMU" {
        return false;
    }
    // Behind the end, and where there is none, it reads as zeros.
    select(COMMAND_LINE);
    let line: [u8; LONGEST] = bytes();
    let mut words = line.split(|byte| matches!(byte, 0 | b' '));
    words.any(|given| given == word.as_bytes())
}

fn select(item: u16) {
    FwCfg.write_half(SELECTOR, item.to_be());
}

/// The next bytes of what is selected.
fn bytes<const N: usize>() -> [u8; N] {
    [(); N].map(|()| FwCfg.read_byte(DATA))
}
