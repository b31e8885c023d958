//! What QEMU was told on its command line for the board, by its fw_cfg device.

use crate::registers::Peripheral::FwCfg;

const DATA: u32 = 0;
const SELECTOR: u32 = 8;

const SIGNATURE: u16 = 0x00;
const DIRECTORY: u16 = 0x19;
/// Bytes of a name in the directory, which ends with a zero.
const NAME: usize = 56;

/// Whether there was `-fw_cfg name=NAME,...`.
pub(crate) fn is_given(name: &str) -> bool {
    select(SIGNATURE);
    if bytes() != *b"QEMU" {
        return false;
    }
    select(DIRECTORY);
    let files = u32::from_be_bytes(bytes());
    for _ in 0..files {
        // Size, selector, and nothing.
        let _: [u8; 8] = bytes();
        let file: [u8; NAME] = bytes();
        if file.split(|byte| *byte == 0).next() == Some(name.as_bytes()) {
            return true;
        }
    }
    false
}

fn select(item: u16) {
    FwCfg.write_half(SELECTOR, item.to_be());
}

/// The next bytes of what is selected.
fn bytes<const N: usize>() -> [u8; N] {
    [(); N].map(|()| FwCfg.read_byte(DATA))
}
