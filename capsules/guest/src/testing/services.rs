//! The services of the device of this thread.

use alloc::boxed::Box;
use core::net::SocketAddr;

use super::device::State;
use crate::Unavailable;
use crate::sensors::{Category, Label, Reading};
use crate::udp::Datagram;

pub(crate) fn log(line: &str) {
    State::with(|state| state.log.push(line.into()));
}

pub(crate) fn next_u32() -> u32 {
    State::with(|state| {
        state.random.pop_front().unwrap_or_else(|| {
            // xorshift64
            state.seed ^= state.seed << 13;
            state.seed ^= state.seed >> 7;
            state.seed ^= state.seed << 17;
            (state.seed >> 32) as u32
        })
    })
}

pub(crate) fn next_u64() -> u64 {
    u64::from(next_u32()) << 32 | u64::from(next_u32())
}

pub(crate) fn random_bytes(len: u32) -> Box<[u8]> {
    assert!(
        len <= 1024,
        "a device traps a capsule that asks for {len} random bytes"
    );
    (0..len).map(|_| next_u32() as u8).collect()
}

pub(crate) fn sleep(millis: u64) {
    State::with(|state| state.clock += millis);
}

pub(crate) fn now() -> u64 {
    State::with(|state| state.clock)
}

pub(crate) fn trigger(_: Option<Category>) -> Result<(), Unavailable> {
    State::with(|state| {
        let found = !state.readings.is_empty();
        state.measured = found.then(|| state.readings.clone());
        found.then_some(()).ok_or(Unavailable)
    })
}

pub(crate) fn readings(label: Option<Label>) -> Result<Box<[Reading]>, Unavailable> {
    State::with(|state| {
        let readings = state.measured.as_ref().ok_or(Unavailable)?;
        let wanted = readings
            .iter()
            .filter(|reading| label.is_none_or(|label| reading.label == label));
        Ok(wanted.copied().collect())
    })
}

pub(crate) fn wait_for_button() -> Result<(), Unavailable> {
    State::with(|state| {
        let presses = state.presses.as_mut().ok_or(Unavailable)?;
        let left = presses.checked_sub(1);
        *presses = left.expect("the capsule waits for the button for ever: press it before");
        Ok(())
    })
}

pub(crate) fn toggle_led() -> Result<(), Unavailable> {
    State::with(|state| {
        let led = state.led.as_mut().ok_or(Unavailable)?;
        *led = !*led;
        Ok(())
    })
}

pub(crate) fn bind(port: u16) -> Result<(), Unavailable> {
    State::with(|state| {
        state.port = state.network.then_some(port);
        state.port.map(|_| ()).ok_or(Unavailable)
    })
}

pub(crate) fn send(data: &[u8], to: SocketAddr) -> Result<(), Unavailable> {
    State::with(|state| {
        state.port.ok_or(Unavailable)?;
        state.sent.push((data.to_vec(), to));
        Ok(())
    })
}

pub(crate) fn receive() -> Result<Option<Datagram>, Unavailable> {
    State::with(|state| {
        state.port.ok_or(Unavailable)?;
        Ok(state.arrived.pop_front())
    })
}
