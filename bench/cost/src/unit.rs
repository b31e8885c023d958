//! The device whose cost is counted: the whole core, as on a board, and beside it
//! as little as can be. Its flash is RAM, so that writing costs what copying
//! costs; its random numbers are the same each time; it logs nothing.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context, Result, anyhow};
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use fuzz_harness::{Rng, config};
use rand_core::RngCore;
use sealift_core::capsule::{Accuracy, Category, Host, Label, Reading, Unavailable, Unit as Of};
use sealift_core::{Device, Policy, Roles, Step};
use sealift_manifest::PublicKey;
use sealift_oscore::{Identity, MAX_DATAGRAM};
use sealift_storage::Layout;

/// Erase page and write word: those of the nRF52840.
const PAGE: u32 = 4096;
const WORD: usize = 4;
/// Room for a payload of 65,536 bytes and its head.
const SLOT_PAGES: u16 = 17;
/// Security contexts that the device has room for.
const SESSIONS: usize = 4;
const COMPONENTS: usize = 2;
const LAYOUT: Layout<COMPONENTS> = Layout::new(0, SLOT_PAGES, ["vm1", "vm2"])
    .with_counter()
    .with_trust();
/// Polls after which a device should have come to rest.
const MAX_POLLS: u32 = 100_000;

/// What the device's key comes from, and its name.
pub(crate) const DEVICE: (u64, &str) = (1, "device");

type Core = Device<Flash, Rng, Board, COMPONENTS, WORD, SESSIONS>;

/// Bytes of the device without its heap: the tables of the server, the state of
/// the store.
pub const STATIC: usize = size_of::<Core>();

/// Everybody's identity. FAKE ones: their keys follow from nothing secret.
#[derive(Clone, Debug)]
pub struct People {
    /// The device.
    pub device: Identity,
    /// Who may do everything with it.
    pub operator: Identity,
}

impl People {
    /// The same ones each time.
    ///
    /// # Errors
    /// None: their names are short.
    pub fn new() -> Result<Self> {
        let person = |(seed, name)| Identity::generate(name, &mut Rng::new(seed));
        Ok(Self {
            device: person(DEVICE)?,
            operator: person((2, "operator"))?,
        })
    }
}

/// A device that can be started anew.
pub struct Unit {
    core: Option<Core>,
    flash: Flash,
    people: People,
}

impl Unit {
    /// A device that is off, and has nothing in its flash.
    #[must_use]
    pub fn new(people: People) -> Self {
        let size = LAYOUT.size(PAGE).unwrap_or_default();
        Self {
            core: None,
            flash: Flash(Rc::new(RefCell::new(vec![0xff; size as usize]))),
            people,
        }
    }

    /// Starts it on what is in its flash, and lets it come to rest. It takes what
    /// the holders of these keys have signed.
    ///
    /// # Errors
    /// Where it does not.
    pub fn boot(&mut self, now: u64, trust: &[PublicKey]) -> Result<()> {
        self.core = None;
        let mut policy = Policy::default();
        let roles = Roles::DEPLOY.and(Roles::USE);
        policy.allow(self.people.operator.credential().clone(), roles);
        let config = config(trust, policy, self.people.device.clone(), LAYOUT);
        let core = Device::boot(config, self.flash.clone(), Rng::new(3), Board(Rng::new(4)));
        self.core = Some(core.map_err(|error| anyhow!("it does not start: {error}"))?);
        self.rest(now).map(drop)
    }

    /// Hands it a datagram, and lets it come to rest. Returns the last datagram
    /// that it sent, empty if there was none.
    ///
    /// # Errors
    /// Where it does not come to rest, or is off.
    pub fn take(&mut self, now: u64, from: SocketAddr, datagram: &[u8]) -> Result<Vec<u8>> {
        let core = self.core.as_mut().context("it is off")?;
        let mut out = [0; MAX_DATAGRAM];
        let length = core.handle_datagram(now, from, datagram, &mut out);
        let at_once = out.get(..length).unwrap_or_default().to_vec();
        let later = self.rest(now)?;
        Ok(if later.is_empty() { at_once } else { later })
    }

    /// Polls until there is nothing to do; the last datagram that was sent.
    fn rest(&mut self, now: u64) -> Result<Vec<u8>> {
        let core = self.core.as_mut().context("it is off")?;
        let mut out = [0; MAX_DATAGRAM];
        let mut sent = Vec::new();
        for _ in 0..MAX_POLLS {
            match core.poll(now, &mut out) {
                Step::Send(_, length) => sent = out.get(..length).unwrap_or_default().to_vec(),
                Step::Wait(until) if until > now => return Ok(sent),
                Step::Wait(_) => {}
            }
        }
        Err(anyhow!("it does not come to rest"))
    }
}

/// NOR flash that is RAM. It does not check what it is asked to do: the mock
/// flash of `sealift-storage` does, and the tests run on that.
#[derive(Clone)]
struct Flash(Rc<RefCell<Vec<u8>>>);

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let flash = self.0.borrow();
        let stored = flash.get(offset as usize..).unwrap_or_default();
        let stored = stored.get(..bytes.len());
        bytes.copy_from_slice(stored.ok_or(NorFlashErrorKind::OutOfBounds)?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        let mut flash = self.0.borrow_mut();
        let pages = flash.get_mut(from as usize..to as usize);
        pages.ok_or(NorFlashErrorKind::OutOfBounds)?.fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let mut flash = self.0.borrow_mut();
        let words = flash.get_mut(offset as usize..).unwrap_or_default();
        let words = words.get_mut(..bytes.len());
        words
            .ok_or(NorFlashErrorKind::OutOfBounds)?
            .copy_from_slice(bytes);
        Ok(())
    }
}

/// What capsules may use.
#[derive(Clone)]
struct Board(Rng);

impl Host for Board {
    fn log(&mut self, _: &str, _: &str) {}

    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable> {
        self.0.fill_bytes(bytes);
        Ok(())
    }

    fn now_ms(&mut self) -> u64 {
        0
    }

    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        match category {
            None | Some(Category::Temperature) => Ok(vec![Reading {
                value: 2157,
                scaling: -2,
                unit: Of::Celsius,
                label: Label::Temperature,
                accuracy: Accuracy::Unknown,
            }]),
            Some(_) => Err(Unavailable),
        }
    }
}
