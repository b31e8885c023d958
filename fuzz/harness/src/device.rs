//! A whole device in memory.

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use rand_core::RngCore;
use sealift_core::capsule::{Accuracy, Category, Host, Label, Reading, Unavailable, Unit};
use sealift_core::{Acceptance, Config, Device, Keys, Limits, Policy, Roles};
use sealift_manifest::{Grants, PublicKey};
use sealift_oscore::Identity;
use sealift_storage::Layout;
use sealift_storage::sim::{MockError, MockFlash};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::fixtures::Fixtures;
use crate::rng::Rng;

pub(crate) const PAGE: usize = 1024;
pub(crate) const WORD: usize = 4;
/// Room for a real capsule.
const SLOT_PAGES: u16 = 44;
/// Security contexts that the device has room for.
const SESSIONS: usize = 4;
pub(crate) const COMPONENTS: usize = 2;
pub(crate) const LAYOUT: Layout<COMPONENTS> =
    Layout::new(0, SLOT_PAGES, ["vm1", "vm2"]).with_counter();
/// The largest body of a job that the device takes.
const JOB_LIMIT: usize = 32 * 1024;
/// How long a capsule may take, in milliseconds.
const TIME_LIMIT: u64 = 60_000;
/// How long a session may be idle, in milliseconds.
pub(crate) const SESSION_IDLE: u64 = 24 * 60 * 60 * 1000;

pub(crate) type Chip = MockFlash<WORD, PAGE>;
pub(crate) type Unit32 = Device<Flash, Rng, Board, COMPONENTS, WORD, SESSIONS>;

/// Flash that the harness can look at while the device has it.
#[derive(Clone)]
pub(crate) struct Flash(pub(crate) Rc<RefCell<Chip>>);

impl Flash {
    /// An erased one, as large as the layout.
    pub(crate) fn erased() -> Self {
        let size = LAYOUT.size(PAGE as u32).unwrap() as usize;
        Self(Rc::new(RefCell::new(Chip::new(size / PAGE))))
    }

    /// Another one with the same content.
    pub(crate) fn copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    /// Bytes that were written or erased so far.
    pub(crate) fn steps(&self) -> u64 {
        self.0.borrow().steps()
    }
}

impl ErrorType for Flash {
    type Error = MockError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = Chip::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), MockError> {
        self.0.borrow_mut().read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.borrow().capacity()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), MockError> {
        self.0.borrow_mut().erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), MockError> {
        self.0.borrow_mut().write(offset, bytes)
    }
}

/// What capsules may use: the device's clock, numbers that are the same each
/// time, one sensor.
#[derive(Clone)]
pub(crate) struct Board {
    pub(crate) clock: Rc<Cell<u64>>,
    rng: Rng,
}

impl Host for Board {
    fn log(&mut self, _: &str, line: &str) {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }

    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable> {
        self.rng.fill_bytes(bytes);
        Ok(())
    }

    fn now_ms(&mut self) -> u64 {
        self.clock.get()
    }

    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        match category {
            None | Some(Category::Temperature) => Ok(vec![Reading {
                value: 2157,
                scaling: -2,
                unit: Unit::Celsius,
                label: Label::Temperature,
                accuracy: Accuracy::Unknown,
            }]),
            Some(_) => Err(Unavailable),
        }
    }
}

/// The identities of everybody. Made once: each takes a multiplication on the
/// curve.
#[derive(Clone)]
pub(crate) struct People {
    pub(crate) device: Identity,
    /// Whom the device knows: a deployer, a user of capsules, another deployer,
    /// an observer.
    pub(crate) known: [Identity; 4],
    /// Whom it does not know.
    pub(crate) stranger: Identity,
}

impl People {
    pub(crate) fn new() -> Self {
        let person = |seed, name| Identity::generate(name, &mut Rng::new(seed)).unwrap();
        Self {
            device: person(1, "device"),
            known: [
                person(2, "op"),
                person(3, "app"),
                person(4, "second"),
                person(5, "guest"),
            ],
            stranger: person(6, "stranger"),
        }
    }
}

/// A device that takes what the holders of these keys have signed, from whom the
/// policy allows it.
#[must_use]
pub fn config<const N: usize>(
    trust: &[PublicKey],
    policy: Policy,
    identity: Identity,
    layout: Layout<N>,
) -> Config<N> {
    Config {
        acceptance: Acceptance {
            trust: trust.to_vec().into(),
            root: Keys::default(),
            vendor_id: sealift_engine::DEFAULT_VENDOR_ID,
            class_id: sealift_engine::DEFAULT_CLASS_ID,
            offered: Grants::ALL,
            limits: Limits {
                memory: 1 << 20,
                stack: 1 << 18,
                fuel: 1_000_000,
            },
        },
        policy,
        identity,
        layout,
        mapping: None,
        beside: true,
        job_limit: JOB_LIMIT,
        time_limit: TIME_LIMIT,
        session_idle: SESSION_IDLE,
    }
}

/// Starts a device on this flash; `None` where the power was cut meanwhile.
pub(crate) fn boot(
    people: &People,
    fixtures: &Fixtures,
    flash: &Flash,
    clock: &Rc<Cell<u64>>,
) -> Option<Unit32> {
    let roles = [Roles::DEPLOY, Roles::USE, Roles::DEPLOY, Roles::OBSERVE];
    let mut policy = Policy::default();
    for (person, roles) in people.known.iter().zip(roles) {
        policy.allow(person.credential().clone(), roles);
    }
    let config = config(&fixtures.trust, policy, people.device.clone(), LAYOUT);
    let board = Board {
        clock: clock.clone(),
        rng: Rng::new(8),
    };
    match Device::boot(config, flash.clone(), Rng::new(7), board) {
        Ok(device) => Some(device),
        Err(_) if flash.0.borrow().is_off() => None,
        Err(error) => panic!("the device does not start: {error}"),
    }
}
