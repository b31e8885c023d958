//! The peripherals of the board: registers at fixed addresses.
#![expect(
    unsafe_code,
    reason = "hardware: registers are addresses that are not memory of the program"
)]

/// A peripheral of QEMU's virt, by its address in that machine's memory map.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Peripheral {
    /// SiFive's test finisher: ends or resets the machine.
    Finisher = 0x0010_0000,
    /// Core-local interruptor: the machine timer.
    Clint = 0x0200_0000,
    /// Platform-level interrupt controller.
    Plic = 0x0c00_0000,
    /// NS16550, the log.
    Uart = 0x1000_0000,
    /// What QEMU was told on its command line.
    FwCfg = 0x1010_0000,
}

impl Peripheral {
    /// How many bytes from its address on are its own.
    const fn len(self) -> u32 {
        match self {
            Self::Finisher => 0x1000,
            Self::Clint => 0x1_0000,
            Self::Plic => 0x60_0000,
            Self::Uart => 0x100,
            Self::FwCfg => 0x18,
        }
    }

    /// Reads the register of 4 bytes at `offset`.
    pub(crate) fn read(self, offset: u32) -> u32 {
        let register: *mut u32 = self.register(offset);
        // SAFETY: `register` gives the address of a register of this board,
        // which is aligned, always there and never memory of the program.
        unsafe { register.read_volatile() }
    }

    /// Writes the register of 4 bytes at `offset`.
    pub(crate) fn write(self, offset: u32, value: u32) {
        let register: *mut u32 = self.register(offset);
        // SAFETY: as for reading. None of these peripherals writes to memory
        // by itself.
        unsafe { register.write_volatile(value) }
    }

    /// Reads the register of one byte at `offset`.
    pub(crate) fn read_byte(self, offset: u32) -> u8 {
        let register: *mut u8 = self.register(offset);
        // SAFETY: as for [`Self::read`].
        unsafe { register.read_volatile() }
    }

    /// Writes the register of one byte at `offset`.
    pub(crate) fn write_byte(self, offset: u32, value: u8) {
        let register: *mut u8 = self.register(offset);
        // SAFETY: as for [`Self::write`].
        unsafe { register.write_volatile(value) }
    }

    /// Writes the register of two bytes at `offset`.
    pub(crate) fn write_half(self, offset: u32, value: u16) {
        let register: *mut u16 = self.register(offset);
        // SAFETY: as for [`Self::write`].
        unsafe { register.write_volatile(value) }
    }

    fn register<T>(self, offset: u32) -> *mut T {
        assert!(offset < self.len() && (offset as usize).is_multiple_of(size_of::<T>()));
        let address = (self as u32).wrapping_add(offset);
        core::ptr::with_exposed_provenance_mut(address as usize)
    }
}
