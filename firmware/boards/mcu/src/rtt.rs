//! The log by RTT: a ring buffer in RAM that a debug probe reads, and that takes
//! nobody's time where there is none.

use log::LevelFilter;
use rtt_target::{ChannelMode, rprint, rtt_init_print};

use crate::logger;

/// From here on, the log goes to the probe. What it does not fetch in time is
/// dropped.
pub fn start() {
    rtt_init_print!(ChannelMode::NoBlockSkip, 2048);
    logger::start(|text| rprint!("{}", text), LevelFilter::Info);
}
