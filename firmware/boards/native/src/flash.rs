//! NOR flash in a file.
//!
//! The file behaves as the chip would: it is erased to 0xFF by page, and a
//! write only clears bits. Each change reaches the disk before the next one
//! starts, as the store's promises about power cuts ask of a flash.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read,
    check_write,
};

/// Erase page, in bytes.
pub(crate) const PAGE: usize = 4096;
/// Write word, in bytes.
pub(crate) const WORD: usize = 4;

const ERASED: u8 = 0xff;

/// A flash of a fixed size, in a file that no other process uses.
#[derive(Debug)]
pub(crate) struct FileFlash {
    file: File,
    capacity: usize,
}

/// Why the flash did not do what it was asked.
#[derive(Debug)]
pub(crate) enum FlashError {
    /// An address that is out of bounds or not aligned.
    Address(NorFlashErrorKind),
    /// A write that would have to set bits.
    NotErased,
    /// The file failed.
    File(io::Error),
}

impl FileFlash {
    /// Opens the flash, or makes one in which every byte is erased. It holds
    /// the device's private key, so that it is made for its owner only.
    pub(crate) fn open(path: &Path, capacity: usize) -> Result<Self> {
        let context = || format!("flash file {}", path.display());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .with_context(context)?;
        file.try_lock()
            .map_err(|_| anyhow::anyhow!("another device uses it"))
            .with_context(context)?;
        let length = file.metadata().with_context(context)?.len();
        let unfinished =
            length < capacity as u64 && is_erased(&file, length).with_context(context)?;
        if unfinished {
            file.write_all_at(&vec![ERASED; capacity], 0)
                .and_then(|()| file.sync_all())
                .with_context(context)?;
        } else {
            ensure!(
                length == capacity as u64,
                "flash file {}: {length} bytes, expected {capacity}",
                path.display()
            );
        }
        Ok(Self { file, capacity })
    }
}

/// For the log, too: who is told has no room for what the system says.
fn failed(error: io::Error) -> FlashError {
    let error = FlashError::File(error);
    log::error!("{error}");
    error
}

/// Whether all of a file is erased flash: new, or cut short when it was made.
fn is_erased(file: &File, length: u64) -> io::Result<bool> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes.iter().all(|byte| *byte == ERASED))
}

impl ErrorType for FileFlash {
    type Error = FlashError;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len()).map_err(FlashError::Address)?;
        self.file
            .read_exact_at(bytes, u64::from(offset))
            .map_err(failed)
    }

    fn capacity(&self) -> usize {
        self.capacity
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to).map_err(FlashError::Address)?;
        let erased = [ERASED; PAGE];
        for page in (from..to).step_by(PAGE) {
            self.file
                .write_all_at(&erased, u64::from(page))
                .map_err(failed)?;
        }
        self.file.sync_data().map_err(failed)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len()).map_err(FlashError::Address)?;
        let mut before = vec![0; bytes.len()];
        self.read(offset, &mut before)?;
        if before.iter().zip(bytes).any(|(old, new)| new & !old != 0) {
            log::error!("{}", FlashError::NotErased);
            return Err(FlashError::NotErased);
        }
        self.file
            .write_all_at(bytes, u64::from(offset))
            .and_then(|()| self.file.sync_data())
            .map_err(failed)
    }
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Address(kind) => *kind,
            Self::NotErased | Self::File(_) => NorFlashErrorKind::Other,
        }
    }
}

impl std::fmt::Display for FlashError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(kind) => write!(f, "flash address: {kind}"),
            Self::NotErased => f.write_str("flash was not erased before it was written"),
            Self::File(error) => write!(f, "flash file: {error}"),
        }
    }
}

impl std::error::Error for FlashError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start of the second page.
    const SECOND: u32 = 4096;

    fn flash(dir: &tempfile::TempDir) -> FileFlash {
        FileFlash::open(&dir.path().join("flash.img"), 4 * PAGE).unwrap()
    }

    #[test]
    fn writes_only_clear_bits() {
        let dir = tempfile::tempdir().unwrap();
        let mut flash = flash(&dir);
        flash.write(0, &[0xf0, 0xff, 0xff, 0xff]).unwrap();
        assert!(matches!(
            flash.write(0, &[0x0f, 0xff, 0xff, 0xff]),
            Err(FlashError::NotErased)
        ));
        flash.write(0, &[0x10, 0xff, 0xff, 0xff]).unwrap();
        let mut byte = [0];
        flash.read(0, &mut byte).unwrap();
        assert_eq!(byte, [0x10]);
    }

    #[test]
    fn erases_whole_pages_only() {
        let dir = tempfile::tempdir().unwrap();
        let mut flash = flash(&dir);
        flash.write(SECOND, &[0; 8]).unwrap();
        assert!(flash.erase(SECOND, SECOND + 4).is_err());
        assert!(flash.erase(0, 5 * SECOND).is_err());
        flash.erase(SECOND, 2 * SECOND).unwrap();
        let mut bytes = [0; 8];
        flash.read(SECOND, &mut bytes).unwrap();
        assert_eq!(bytes, [ERASED; 8]);
    }

    #[test]
    fn a_file_that_was_cut_short_when_it_was_made_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flash.img");
        std::fs::write(&path, [ERASED; PAGE + 5]).unwrap();
        let mut flash = flash(&dir);
        let mut byte = [0];
        flash.read(4 * SECOND - 1, &mut byte).unwrap();
        assert_eq!(byte, [ERASED]);
        drop(flash);
        // What has content is not touched.
        std::fs::write(&path, [ERASED - 1; PAGE]).unwrap();
        assert!(FileFlash::open(&path, 4 * PAGE).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), [ERASED - 1; PAGE]);
    }

    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        drop(flash(&dir));
        let metadata = std::fs::metadata(dir.path().join("flash.img")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o077, 0);
    }

    #[test]
    fn keeps_its_bytes_and_belongs_to_one_process() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = flash(&dir);
        first.write(8, &[1, 2, 3, 4]).unwrap();
        assert!(FileFlash::open(&dir.path().join("flash.img"), 4 * PAGE).is_err());
        drop(first);
        let mut second = flash(&dir);
        let mut bytes = [0; 4];
        second.read(8, &mut bytes).unwrap();
        assert_eq!(bytes, [1, 2, 3, 4]);
        drop(second);
        assert!(FileFlash::open(&dir.path().join("flash.img"), 8 * PAGE).is_err());
    }
}
