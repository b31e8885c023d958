//! What the devices of a test log.

use std::cell::RefCell;

thread_local! {
    static LOGGED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What the devices of this test have logged.
pub(crate) fn logged() -> Vec<String> {
    LOGGED.with_borrow(Clone::clone)
}

/// Keeps the device's log, and shows it where a test fails.
struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = record.args().to_string();
        println!("{}: {line}", record.level());
        LOGGED.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

/// Keeps what is logged from now on.
pub(super) fn keep() {
    // Already set by another test of the same process, if it fails.
    if log::set_logger(&Log).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
}
