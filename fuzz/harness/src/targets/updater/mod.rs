//! The updater's client against a device that answers as an input says: authentic
//! answers with any code, options and content, at any time, and what somebody on the
//! way can add.
//!
//! The flags of a script say what the operator wants, each of its steps how the device
//! answers one request. After the last it answers as it should, or not at all.

mod answers;
mod device;
mod heard;
#[path = "../../../../../updater/tests/common/model.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the tests in updater/ use more of it"
)]
mod model;
mod seeds;
mod wish;

use std::sync::Arc;

use updater::{BlockSize, Client, Config, Error};

use crate::script::Script;
use crate::trace::Trace;
use device::{Far, people};
use wish::Wish;

pub(crate) use seeds::seeds;

/// Flags: what is wanted, in four bits; whether blocks are small; whether the key
/// exchange takes steps, too; whether the steps begin anew after the last; whether the
/// device is silent after it.
const WISH: u8 = 0x0f;
const SMALL: u8 = 0x10;
const EXCHANGED: u8 = 0x20;
const FOR_EVER: u8 = 0x40;
const SILENT_AFTER: u8 = 0x80;

pub(super) fn run(script: &Script) -> Trace {
    let far = Far::new(script);
    let people = people();
    let small = script.flags & SMALL != 0;
    let size = if small { 64 } else { 1024 };
    let config = Config {
        block_size: BlockSize::from_bytes(size).expect("a size of blocks"),
        ..Config::default()
    };
    let operator = Arc::clone(&people.operator);
    let device = people.device.credential().clone();
    let mut trace = Trace::default();
    match Client::connect_over(far.clone(), operator, device, config) {
        Ok(mut client) => {
            trace.established += 1;
            let wish = Wish::of(script.flags & WISH);
            match wish.fulfil(&mut client, &far, small) {
                Ok(()) => trace.done += 1,
                Err(error) => {
                    assert!(is_one_line(&error), "{error}");
                    trace.refused += 1;
                }
            }
        }
        Err(error) => {
            assert!(is_one_line(&error), "{error}");
            trace.unprotected += 1;
        }
    }
    far.check();
    trace.authentic = far.heard().authentic();
    trace
}

/// Whether a person can be shown it: whatever a device says is in it.
fn is_one_line(error: &Error) -> bool {
    !error.to_string().chars().any(char::is_control)
}
