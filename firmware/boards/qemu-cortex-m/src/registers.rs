//! The peripherals of the board: registers at fixed addresses.
#![expect(
    unsafe_code,
    reason = "hardware: registers are addresses that are not memory of the program"
)]

/// A peripheral of the mps2-an386, by its address (Arm AN386, tables 4-1 and
/// 4-2).
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Peripheral {
    /// CMSDK APB timer, counts the time.
    Timer0 = 0x4000_0000,
    /// CMSDK APB timer, the alarm.
    Timer1 = 0x4000_1000,
    /// CMSDK APB UART, the log.
    Uart0 = 0x4000_4000,
    /// CMSDK APB watchdog.
    Watchdog = 0x4000_8000,
    /// FPGA system control: light and button.
    FpgaIo = 0x4002_8000,
    /// SMSC LAN9118.
    Ethernet = 0x4020_0000,
}

/// No peripheral here has registers from this offset on, but the watchdog's
/// lock.
const END: u32 = 0x1000;

impl Peripheral {
    /// Reads the register at `offset` bytes.
    pub(crate) fn read(self, offset: u32) -> u32 {
        let register = self.register(offset);
        // SAFETY: `register` gives the address of a register of this board,
        // which is aligned, always there and never memory of the program.
        unsafe { register.read_volatile() }
    }

    /// Writes the register at `offset` bytes.
    pub(crate) fn write(self, offset: u32, value: u32) {
        let register = self.register(offset);
        // SAFETY: as for reading. None of these peripherals writes to memory
        // by itself.
        unsafe { register.write_volatile(value) }
    }

    fn register(self, offset: u32) -> *mut u32 {
        assert!(offset < END && offset.is_multiple_of(4));
        let address = (self as u32).wrapping_add(offset);
        core::ptr::with_exposed_provenance_mut(address as usize)
    }
}
