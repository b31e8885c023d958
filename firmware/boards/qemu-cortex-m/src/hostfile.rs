//! Files of the machine that emulates the board, by semihosting.
#![expect(
    unsafe_code,
    reason = "semihosting: a system call hands addresses to the emulator"
)]

use core::str;

use cortex_m_semihosting::{nr, syscall, syscall1};

/// Of Arm's semihosting specification: open for reading and writing, and for
/// reading, both binary.
const MODE_UPDATE: usize = 3;
const MODE_READ: usize = 1;

/// An open file.
#[derive(Debug)]
pub(crate) struct HostFile(usize);

/// The host did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostError;

impl HostFile {
    /// Opens a file that exists, for reading.
    pub(crate) fn open(path: &str) -> Result<Self, HostError> {
        Self::open_with(path, MODE_READ)
    }

    /// Opens a file that exists, for reading and writing.
    pub(crate) fn open_to_write(path: &str) -> Result<Self, HostError> {
        Self::open_with(path, MODE_UPDATE)
    }

    fn open_with(path: &str, mode: usize) -> Result<Self, HostError> {
        // The call wants a zero behind the name.
        let mut name = [0_u8; 256];
        let place = name.get_mut(..path.len()).ok_or(HostError)?;
        place.copy_from_slice(path.as_bytes());
        if path.len() == name.len() {
            return Err(HostError);
        }
        // SAFETY: the arguments of SYS_OPEN are the address of a name that
        // ends with a zero, a mode and the name's length; the emulator only
        // reads them, during the call.
        let handle = unsafe { syscall!(OPEN, name.as_ptr(), mode, path.len()) };
        match handle {
            usize::MAX => Err(HostError),
            handle => Ok(Self(handle)),
        }
    }

    /// Length in bytes.
    pub(crate) fn length(&self) -> Result<usize, HostError> {
        // SAFETY: SYS_FLEN takes a handle.
        match unsafe { syscall!(FLEN, self.0) } {
            usize::MAX => Err(HostError),
            length => Ok(length),
        }
    }

    /// Goes to a place in the file.
    pub(crate) fn seek(&self, offset: usize) -> Result<(), HostError> {
        // SAFETY: SYS_SEEK takes a handle and a place.
        done(unsafe { syscall!(SEEK, self.0, offset) })
    }

    /// Fills all of `bytes` from where the file stands.
    pub(crate) fn read(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        // SAFETY: SYS_READ writes at most the given number of bytes from the
        // given address on, during the call, and `bytes` is exclusively ours.
        done(unsafe { syscall!(READ, self.0, bytes.as_mut_ptr(), bytes.len()) })
    }

    /// Writes all of `bytes` to where the file stands.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), HostError> {
        // SAFETY: SYS_WRITE reads the given number of bytes from the given
        // address on, during the call.
        done(unsafe { syscall!(WRITE, self.0, bytes.as_ptr(), bytes.len()) })
    }
}

/// What the emulator was given with `-semihosting-config arg=...`, one of
/// which is `NAME=VALUE`: that value.
pub(crate) fn argument<'a>(name: &str, buffer: &'a mut [u8; 512]) -> Option<&'a str> {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: SYS_GET_CMDLINE takes the address of a block of an address and a
    // length, writes at most so many bytes to that address during the call,
    // and the length to the block. Both are exclusively ours.
    let result = unsafe { syscall1(nr::GET_CMDLINE, block.as_mut_ptr() as usize) };
    done(result).ok()?;
    let [_, length] = block;
    let line = str::from_utf8(buffer.get(..length)?).ok()?;
    line.split(' ')
        .filter_map(|argument| argument.strip_prefix(name)?.strip_prefix('='))
        .next()
}

fn done(result: usize) -> Result<(), HostError> {
    match result {
        0 => Ok(()),
        _ => Err(HostError),
    }
}
