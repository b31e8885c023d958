//! What a board does for its capsules.

use alloc::vec::Vec;
use core::fmt;

use super::{Category, Reading};

/// The services of a board.
///
/// Each running capsule has a clone of its own: a board makes this a handle,
/// such as a struct with an `Rc<RefCell<_>>` in it. No method may wait: the
/// device answers nobody meanwhile.
pub trait Host: Clone + 'static {
    /// A line of a capsule for the log: no control characters, at most
    /// [`MAX_LOG_LINE`](super::MAX_LOG_LINE) bytes.
    fn log(&mut self, capsule: &str, line: &str);

    /// Fills `bytes` with random numbers that nobody can guess.
    ///
    /// # Errors
    ///
    /// Where it cannot; the capsule traps.
    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable>;

    /// Milliseconds since the device started.
    fn now_ms(&mut self) -> u64;

    /// Measures with all sensors of a category, or with all there are.
    ///
    /// # Errors
    ///
    /// Where there is no such sensor or it does not answer; the capsule is
    /// told.
    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable>;
}

/// The board does not have it, or it does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not available on this board")
    }
}

impl core::error::Error for Unavailable {}
