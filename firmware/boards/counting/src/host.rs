//! Who asks: a program on the machine that emulates the board, over QEMU's standard
//! input and output, which semihosting opens as files.
//!
//! The host sends a kind (1 byte), a number (8) and a length (4), and so many
//! bytes; it gets the count of instructions (8), a length (4), and so many bytes.
//! Numbers are little endian.
#![expect(
    unsafe_code,
    reason = "semihosting: a system call hands addresses to the emulator"
)]

use core::ffi::CStr;

use crate::machine::semihosting;

/// Numbers of calls and modes in Arm's semihosting specification.
const OPEN: usize = 0x01;
const WRITE: usize = 0x05;
const READ: usize = 0x06;
const EXIT: usize = 0x18;
const MODE_READ: usize = 1;
const MODE_WRITE: usize = 5;
/// Reasons of an exit: the program ended, or broke.
const APPLICATION_EXIT: usize = 0x2_0026;
const RUN_TIME_ERROR: usize = 0x2_0023;

/// The host.
#[derive(Debug)]
pub struct Host {
    requests: usize,
    replies: usize,
}

/// What the host asks for.
#[derive(Debug)]
pub struct Task<'a> {
    /// Of which kind it is.
    pub kind: u8,
    /// A number for it.
    pub number: u64,
    /// Bytes for it.
    pub content: &'a [u8],
}

impl Host {
    /// Opens its files.
    pub fn connect() -> Self {
        Self {
            requests: open(c"/dev/stdin", MODE_READ),
            replies: open(c"/dev/stdout", MODE_WRITE),
        }
    }

    /// The next task. Ends the program where there is none.
    pub fn next<'a>(&self, buffer: &'a mut [u8]) -> Task<'a> {
        let (mut kind, mut number, mut length) = ([0], [0; 8], [0; 4]);
        self.read(&mut kind);
        self.read(&mut number);
        self.read(&mut length);
        let length = u32::from_le_bytes(length) as usize;
        let Some(content) = buffer.get_mut(..length) else {
            leave(false)
        };
        self.read(content);
        let [kind] = kind;
        Task {
            kind,
            number: u64::from_le_bytes(number),
            content,
        }
    }

    /// Answers a task that took so many instructions.
    pub fn answer(&self, instructions: u64, content: &[u8]) {
        self.write(&instructions.to_le_bytes());
        let Ok(length) = u32::try_from(content.len()) else {
            leave(false)
        };
        self.write(&length.to_le_bytes());
        self.write(content);
    }

    fn read(&self, bytes: &mut [u8]) {
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let block = [
                self.requests,
                rest.as_mut_ptr().expose_provenance(),
                rest.len(),
            ];
            // SAFETY: SYS_READ takes a handle, an address and a length, and writes
            // at most so many bytes there, during the call; `rest` is ours.
            let missing = unsafe { semihosting(READ, &block) };
            if missing >= rest.len() {
                // The host is gone.
                leave(done == 0);
            }
            done = bytes.len().saturating_sub(missing);
        }
    }

    fn write(&self, bytes: &[u8]) {
        let block = [
            self.replies,
            bytes.as_ptr().expose_provenance(),
            bytes.len(),
        ];
        // SAFETY: SYS_WRITE takes a handle, an address and a length, and reads so
        // many bytes from there, during the call.
        let missing = unsafe { semihosting(WRITE, &block) };
        if missing != 0 {
            leave(false);
        }
    }
}

fn open(name: &CStr, mode: usize) -> usize {
    let address = name.as_ptr().expose_provenance();
    let block = [address, mode, name.count_bytes()];
    // SAFETY: SYS_OPEN takes the address of a name that ends with a zero, a mode
    // and the name's length, and reads the name, during the call.
    match unsafe { semihosting(OPEN, &block) } {
        usize::MAX => leave(false),
        handle => handle,
    }
}

/// Ends the program, and the emulator with it: with status 0 where all is `well`.
pub(crate) fn leave(well: bool) -> ! {
    let reason = if well {
        APPLICATION_EXIT
    } else {
        RUN_TIME_ERROR
    };
    loop {
        // SAFETY: with 32 bits SYS_EXIT takes a reason itself, and no address.
        unsafe { semihosting(EXIT, core::ptr::without_provenance(reason)) };
    }
}
