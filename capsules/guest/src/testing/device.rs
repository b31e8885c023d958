//! What a test sets and sees of its device.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::SocketAddr;

use crate::sensors::{Accuracy, Label, Reading, Unit};
use crate::udp::Datagram;
use crate::{Capsule, Decimal, Job};

use super::Running;

std::thread_local! {
    static STATE: RefCell<State> = const { RefCell::new(State::new()) };
}

/// What the services of this thread's device remember.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) log: Vec<String>,
    pub(crate) clock: u64,
    pub(crate) random: VecDeque<u32>,
    pub(crate) seed: u64,
    pub(crate) readings: Vec<Reading>,
    pub(crate) measured: Option<Vec<Reading>>,
    pub(crate) led: Option<bool>,
    pub(crate) presses: Option<usize>,
    pub(crate) network: bool,
    pub(crate) port: Option<u16>,
    pub(crate) arrived: VecDeque<Datagram>,
    pub(crate) sent: Vec<(Vec<u8>, SocketAddr)>,
}

impl State {
    const fn new() -> Self {
        Self {
            log: Vec::new(),
            clock: 0,
            random: VecDeque::new(),
            seed: 0x5ea1_1f70,
            readings: Vec::new(),
            measured: None,
            led: None,
            presses: None,
            network: false,
            port: None,
            arrived: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    pub(crate) fn with<R>(f: impl FnOnce(&mut Self) -> R) -> R {
        STATE.with_borrow_mut(f)
    }
}

/// The device of this thread, for as long as this value is there. It has a
/// log, a clock and random numbers; what else it has, a test gives it.
#[derive(Debug)]
pub struct Device(());

impl Device {
    /// A device without sensors, light, button and network, at time 0.
    #[expect(clippy::new_without_default, reason = "it is not a value like others")]
    #[must_use]
    pub fn new() -> Self {
        State::with(|state| *state = State::new());
        Self(())
    }

    /// Starts a capsule; `None` where it declines.
    #[must_use]
    pub fn start<C: Capsule>(&self) -> Option<Running<C>> {
        C::start().map(Running::new)
    }

    /// Runs a job.
    ///
    /// # Errors
    ///
    /// What the job says.
    pub fn run<J: Job>(&self, input: &[u8]) -> Result<Vec<u8>, String> {
        J::run(input.to_vec())
    }

    /// The lines of the log since the last time.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        State::with(|state| core::mem::take(&mut state.log))
    }

    /// Lets time pass.
    pub fn wait(&self, millis: u64) {
        State::with(|state| state.clock += millis);
    }

    /// The next random numbers. Behind them, there are others, the same in
    /// each test.
    pub fn random(&self, numbers: &[u32]) {
        State::with(|state| state.random.extend(numbers));
    }

    /// What sensors find from now on; nothing where there are none.
    pub fn readings(&self, readings: &[Reading]) {
        State::with(|state| state.readings = readings.to_vec());
    }

    /// Gives it a thermometer that shows so many degrees Celsius.
    pub fn celsius(&self, Decimal { value, scaling }: Decimal) {
        self.readings(&[Reading {
            value,
            accuracy: Accuracy::Unknown,
            label: Label::Temperature,
            scaling,
            unit: Unit::Celsius,
        }]);
    }

    /// Gives it a light, which is off.
    pub fn connect_led(&self) {
        State::with(|state| state.led = Some(false));
    }

    /// Whether the light is on.
    #[must_use]
    pub fn led(&self) -> bool {
        State::with(|state| state.led == Some(true))
    }

    /// Gives it a button, and presses it so many times.
    pub fn press(&self, times: usize) {
        State::with(|state| *state.presses.get_or_insert(0) += times);
    }

    /// Gives it a network.
    pub fn connect_network(&self) {
        State::with(|state| state.network = true);
    }

    /// The port that the capsule listens on.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        State::with(|state| state.port)
    }

    /// Lets a datagram arrive.
    pub fn deliver(&self, data: &[u8], from: SocketAddr) {
        let datagram = Datagram {
            data: data.into(),
            from,
            local: None,
        };
        State::with(|state| state.arrived.push_back(datagram));
    }

    /// The datagrams that the capsule sent since the last time.
    #[must_use]
    pub fn sent(&self) -> Vec<(Vec<u8>, SocketAddr)> {
        State::with(|state| core::mem::take(&mut state.sent))
    }
}
