//! What the device offers, as far as the manifest grants it.

pub mod gpio;
pub mod rng;
pub mod sensors;
pub mod time;
pub mod udp;

/// Writes a line to the device's log; as `format!`, up to 96 bytes. Needs the
/// grant `log`.
///
/// A literal costs no more than [`services::log`](crate::services::log).
/// Arguments bring `core::fmt` with them, some 8 kB: see [`Line`](crate::Line).
#[macro_export]
macro_rules! log {
    ($($arg:tt)*) => {
        $crate::services::log_format(::core::format_args!($($arg)*))
    };
}

/// [`log!`], with `warning: ` in front.
#[macro_export]
macro_rules! warn {
    ($text:literal $($arg:tt)*) => {
        $crate::log!(::core::concat!("warning: ", $text) $($arg)*)
    };
}

/// [`log!`], with `error: ` in front.
#[macro_export]
macro_rules! error {
    ($text:literal $($arg:tt)*) => {
        $crate::log!(::core::concat!("error: ", $text) $($arg)*)
    };
}

/// Writes a line to the device's log. Needs the grant `log`.
pub fn log(line: &str) {
    sys::log(line);
}

#[doc(hidden)]
#[inline(always)]
pub fn log_format(text: core::fmt::Arguments<'_>) {
    match text.as_str() {
        Some(line) => log(line),
        None => {
            let mut line = crate::Line::<96>::new();
            let _ = core::fmt::Write::write_fmt(&mut line, text);
            log(line.as_str());
        }
    }
}

/// The device does not have it, or it does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

#[cfg(target_arch = "wasm32")]
#[path = "wasm.rs"]
mod sys;

#[cfg(not(target_arch = "wasm32"))]
use crate::testing::services as sys;
