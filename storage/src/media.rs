//! Reads of any alignment, and writes that are checked.

use embedded_storage::nor_flash::NorFlash;

use crate::Error;

/// Bytes that are read at once for comparing and hashing.
pub(crate) const CHUNK: usize = 256;
