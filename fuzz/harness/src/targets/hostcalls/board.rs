//! A board that has what an input says, and holds what is asked of it against the
//! bounds.

use std::cell::{RefCell, RefMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use rand_core::RngCore;
use sealift_core::capsule::{
    Accuracy, Category, Datagram, Host, LOG_BURST, LOG_REFILL_MS, Label, MAX_LOG_LINE,
    MAX_LOG_LINES, MAX_RANDOM, MAX_SENDS, MAX_UDP, Reading, SEND_BURST, SEND_REFILL_MS,
    Unavailable, Unit,
};

use crate::rng::Rng;

/// Flags: what the board has not.
const NO_RANDOM: u8 = 1;
const NO_SENSORS: u8 = 2;
const NO_LIGHT: u8 = 4;
const NO_BUTTON: u8 = 8;
const NO_NETWORK: u8 = 16;
/// Whether the button is pressed.
const PRESSED: u8 = 32;

/// The board: what clones share.
#[derive(Clone)]
pub(super) struct Board(Rc<RefCell<Services>>);

struct Services {
    flags: u8,
    clock: u64,
    /// When it was made.
    since: u64,
    /// Numbers at random, until there are none; then others.
    numbers: Vec<u8>,
    rng: Rng,
    readings: Vec<Reading>,
    arrived: Vec<Datagram>,
    /// In this call, and ever.
    lines: u32,
    all_lines: u64,
    sends: u32,
    all_sends: u64,
    used: bool,
}

impl Board {
    pub(super) fn new(flags: u8) -> Self {
        Self(Rc::new(RefCell::new(Services {
            flags,
            clock: 1_000,
            since: 1_000,
            // A start with a report as it should be.
            numbers: vec![0; 4],
            rng: Rng::new(5),
            readings: Vec::new(),
            arrived: Vec::new(),
            lines: 0,
            all_lines: 0,
            sends: 0,
            all_sends: 0,
            used: false,
        })))
    }

    fn services(&self) -> RefMut<'_, Services> {
        self.0.borrow_mut()
    }

    pub(super) fn wait(&self, ms: u64) {
        let mut services = self.services();
        services.clock = services.clock.saturating_add(ms);
    }

    pub(super) fn wait_until(&self, ms: u64) {
        let mut services = self.services();
        services.clock = services.clock.max(ms);
    }

    /// The next numbers at random.
    pub(super) fn roll(&self, numbers: &[u8]) {
        self.services().numbers = numbers.to_vec();
    }

    /// From now on it has everything, and the next start is a good one.
    pub(super) fn calm(&self) {
        let mut services = self.services();
        services.flags = 0;
        services.numbers = vec![0; 4];
    }

    /// A datagram is there, of any length.
    pub(super) fn arrive(&self, arg: u8, data: &[u8]) {
        let length = data.len().max(usize::from(arg) * 8);
        let mut data = data.to_vec();
        data.resize(length, arg);
        let from = match arg & 1 {
            0 => SocketAddr::from((Ipv4Addr::new(192, 0, 2, arg), u16::from(arg))),
            _ => SocketAddr::from((Ipv6Addr::LOCALHOST, 65_535)),
        };
        let local = (arg & 2 == 0).then_some(IpAddr::from(Ipv4Addr::LOCALHOST));
        self.services().arrived.push((data, from, local));
    }

    /// What there is to measure: four bytes each, of any number of them.
    pub(super) fn measure(&self, data: &[u8]) {
        let reading = |bytes: &[u8]| Reading {
            value: i32::from_le_bytes([bytes[0], bytes[1], bytes[0], bytes[1]]),
            scaling: bytes[2].cast_signed(),
            unit: Unit::Celsius,
            label: [Label::Temperature, Label::Opaque, Label::Z][usize::from(bytes[3] % 3)],
            accuracy: match bytes[3] >> 5 {
                0 => Accuracy::Unknown,
                1 => Accuracy::Exact,
                2 => Accuracy::Unavailable,
                3 => Accuracy::Disabled,
                _ => Accuracy::Symmetrical((bytes[0], bytes[1].cast_signed(), -1)),
            },
        };
        self.services().readings = data.chunks_exact(4).map(reading).collect();
    }

    /// A call begins.
    pub(super) fn begin(&self) {
        let mut services = self.services();
        (services.lines, services.sends) = (0, 0);
    }

    /// Whether a call, and all together, kept to their rations.
    pub(super) fn check_call(&self) {
        let services = self.services();
        // Before it and after it the device itself may say that lines were left out.
        assert!(
            services.lines <= MAX_LOG_LINES + 2,
            "{} lines",
            services.lines
        );
        assert!(services.sends <= MAX_SENDS, "{} datagrams", services.sends);
        let time = services.clock - services.since;
        let lines = u64::from(LOG_BURST) + time / LOG_REFILL_MS;
        assert!(services.all_lines <= lines, "{} lines", services.all_lines);
        let sends = u64::from(SEND_BURST) + time / SEND_REFILL_MS;
        assert!(
            services.all_sends <= sends,
            "{} datagrams",
            services.all_sends
        );
    }

    /// Whether a host call ever came here, other than for the start.
    pub(super) fn was_used(&self) -> bool {
        self.services().used
    }
}

impl Services {
    fn has(&mut self, lacking: u8) -> Result<(), Unavailable> {
        self.used = true;
        match self.flags & lacking {
            0 => Ok(()),
            _ => Err(Unavailable),
        }
    }
}

impl Host for Board {
    fn log(&mut self, capsule: &str, line: &str) {
        let mut services = self.services();
        services.used = true;
        services.lines += 1;
        services.all_lines += 1;
        assert_eq!(capsule, "vm1");
        assert!(line.len() <= MAX_LOG_LINE, "{} bytes", line.len());
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }

    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable> {
        let mut services = self.services();
        assert!(bytes.len() <= MAX_RANDOM as usize, "{} bytes", bytes.len());
        if services.flags & NO_RANDOM != 0 && services.numbers.is_empty() {
            return Err(Unavailable);
        }
        services.rng.fill_bytes(bytes);
        let given = services.numbers.len().min(bytes.len());
        for (byte, number) in bytes.iter_mut().zip(services.numbers.drain(..given)) {
            *byte = number;
        }
        Ok(())
    }

    fn now_ms(&mut self) -> u64 {
        self.services().clock
    }

    fn read_sensors(&mut self, _: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        let mut services = self.services();
        services.has(NO_SENSORS)?;
        Ok(services.readings.clone())
    }

    fn toggle_led(&mut self) -> Result<(), Unavailable> {
        self.services().has(NO_LIGHT)
    }

    fn button_low(&mut self) -> Result<bool, Unavailable> {
        let mut services = self.services();
        services.has(NO_BUTTON)?;
        Ok(services.flags & PRESSED != 0)
    }

    fn udp_bind(&mut self, _: u16) -> Result<(), Unavailable> {
        let mut services = self.services();
        services.sends += 1;
        services.all_sends += 1;
        services.has(NO_NETWORK)
    }

    fn udp_send(&mut self, data: &[u8], _: SocketAddr) -> Result<(), Unavailable> {
        let mut services = self.services();
        services.sends += 1;
        services.all_sends += 1;
        assert!(data.len() <= MAX_UDP, "{} bytes", data.len());
        services.has(NO_NETWORK)
    }

    fn udp_receive(&mut self) -> Result<Option<Datagram>, Unavailable> {
        let mut services = self.services();
        services.has(NO_NETWORK)?;
        Ok(services.arrived.pop())
    }
}
