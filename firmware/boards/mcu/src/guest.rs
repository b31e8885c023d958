//! What capsules may use of a board.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use embassy_time::Instant;
use rand_core::RngCore;
use sealift_core::capsule::{Category, Host, Reading, Unavailable};

use crate::Random;

/// What a board has for capsules besides log, time and random numbers. What it
/// leaves out, they are told that it has not got.
pub trait Services: 'static {
    /// Measures with all sensors of a category, or with all there are.
    ///
    /// # Errors
    ///
    /// Where there is no such sensor or it does not answer.
    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        let _ = category;
        Err(Unavailable)
    }

    /// Switches the light.
    ///
    /// # Errors
    ///
    /// Where there is none.
    fn toggle_led(&mut self) -> Result<(), Unavailable> {
        Err(Unavailable)
    }

    /// Whether the button is pressed.
    ///
    /// # Errors
    ///
    /// Where there is none.
    fn button_low(&mut self) -> Result<bool, Unavailable> {
        Err(Unavailable)
    }
}

/// A board as its capsules see it; each has a handle of its own.
pub struct BoardHost<S>(Rc<RefCell<Shared<S>>>);

struct Shared<S> {
    services: S,
    rng: Random,
}

impl<S: Services> BoardHost<S> {
    /// A handle to these services, and to random numbers from `rng`.
    pub fn new(services: S, rng: Random) -> Self {
        Self(Rc::new(RefCell::new(Shared { services, rng })))
    }

    /// Nobody keeps a borrow across a call, so this always succeeds.
    fn with<T>(
        &mut self,
        ask: impl FnOnce(&mut Shared<S>) -> Result<T, Unavailable>,
    ) -> Result<T, Unavailable> {
        let mut shared = self.0.try_borrow_mut().map_err(|_| Unavailable)?;
        ask(&mut shared)
    }
}

impl<S> Clone for BoardHost<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<S: Services> Host for BoardHost<S> {
    fn log(&mut self, capsule: &str, line: &str) {
        log::info!("{capsule}: says: {line}");
    }

    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable> {
        self.with(|shared| {
            shared.rng.fill_bytes(bytes);
            Ok(())
        })
    }

    fn now_ms(&mut self) -> u64 {
        Instant::now().as_millis()
    }

    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        self.with(|shared| shared.services.read_sensors(category))
    }

    fn toggle_led(&mut self) -> Result<(), Unavailable> {
        self.with(|shared| shared.services.toggle_led())
    }

    fn button_low(&mut self) -> Result<bool, Unavailable> {
        self.with(|shared| shared.services.button_low())
    }
}
