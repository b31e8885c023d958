//! The log: a line for each record, to wherever the board writes text.

use core::cell::Cell;
use core::fmt::{self, Write};

use critical_section::Mutex;
use log::{LevelFilter, Log, Metadata, Record};

/// Writes text to the board's log.
pub type Sink = fn(fmt::Arguments<'_>);

struct Logger(Mutex<Cell<Option<Sink>>>);

static LOGGER: Logger = Logger(Mutex::new(Cell::new(None)));

/// From here on, records up to `level` go to `sink`.
pub fn start(sink: Sink, level: LevelFilter) {
    critical_section::with(|cs| LOGGER.0.borrow(cs).set(Some(sink)));
    // Fails where there is a logger already: this one.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(level);
}

/// Text of a device that is about to start again, as it is.
pub fn last_words(text: fmt::Arguments<'_>) {
    if let Some(sink) = critical_section::with(|cs| LOGGER.0.borrow(cs).get()) {
        sink(text);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let sink = critical_section::with(|cs| self.0.borrow(cs).get());
        if let Some(sink) = sink
            && self.enabled(record.metadata())
        {
            sink(format_args!("{:<5} {}\n", record.level(), record.args()));
        }
    }

    fn flush(&self) {}
}

/// Text for a sink that takes bytes one line at a time.
pub fn write_to(out: &mut dyn Write, text: fmt::Arguments<'_>) {
    // A log that fails has nobody to tell.
    let _ = out.write_fmt(text);
}
