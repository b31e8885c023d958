//! The clock. Needs the grant `time`.

use super::sys;

/// Milliseconds since the device started.
#[must_use]
pub fn now() -> u64 {
    sys::now()
}

/// Waits. The device goes on meanwhile; fuel that the waiting costs ends a
/// call that waits too long.
pub fn sleep(millis: u64) {
    sys::sleep(millis);
}
