//! The log goes out over UART 0.

use core::fmt::{self, Write};

use crate::registers::Peripheral::Uart0;

const DATA: u32 = 0x00;
const STATE: u32 = 0x04;
const CTRL: u32 = 0x08;
const BAUDDIV: u32 = 0x10;

const TX_FULL: u32 = 1;
const TX_ENABLE: u32 = 1;
/// 25 MHz by 115,200 baud.
const DIVIDER: u32 = 217;

/// UART 0, for writing.
#[derive(Debug)]
pub(crate) struct Uart;

/// Makes it ready.
pub(crate) fn start() {
    Uart0.write(BAUDDIV, DIVIDER);
    Uart0.write(CTRL, TX_ENABLE);
}

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while Uart0.read(STATE) & TX_FULL != 0 {}
            Uart0.write(DATA, u32::from(byte));
        }
        Ok(())
    }
}
