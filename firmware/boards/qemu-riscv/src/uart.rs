//! The log goes out over the UART, a 16550.

use core::fmt::{self, Write};

use crate::registers::Peripheral::Uart as Registers;

const TRANSMIT: u32 = 0;
const LINE_STATUS: u32 = 5;

const TRANSMIT_EMPTY: u8 = 1 << 5;

/// The UART, for writing; it is ready from the start.
#[derive(Debug)]
pub(crate) struct Uart;

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while Registers.read_byte(LINE_STATUS) & TRANSMIT_EMPTY == 0 {}
            Registers.write_byte(TRANSMIT, byte);
        }
        Ok(())
    }
}
