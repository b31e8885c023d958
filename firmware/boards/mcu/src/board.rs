//! What boards decide alike: how many components, peers and limits, and where
//! random numbers come from.

use embedded_storage::nor_flash::NorFlash;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sealift_core::{Device, Limits};

use crate::{BoardHost, Plan, Services, StartError, start};

/// The components of a board.
pub const NAMES: [&str; 2] = ["vm1", "vm2"];
/// Peers with a security context at a time.
pub const SESSIONS: usize = 4;

/// A board's generator: ChaCha20, seeded at each start with 32 bytes from
/// hardware. The hardware is slow, and what a datagram makes a device spend of
/// it would be time that others wait.
pub type Random = ChaCha20Rng;

/// A board's device, on its flash `F` with words of `W` bytes, with what `S`
/// has for capsules.
pub type BoardDevice<F, S, const W: usize> =
    Device<F, Random, BoardHost<S>, { NAMES.len() }, W, SESSIONS>;

impl Plan<{ NAMES.len() }> {
    /// A device named `subject` at the start of its flash, which is not in
    /// memory, with slots of `slot_pages` pages, and what suits a
    /// microcontroller with 256 kB of RAM.
    #[must_use]
    pub const fn new(subject: &'static str, slot_pages: u16) -> Self {
        Self {
            subject,
            names: NAMES,
            slot_pages,
            base: 0,
            mapping: None,
            limits: Limits {
                memory: 64 * 1024,
                stack: 16 * 1024,
                fuel: 100_000_000,
            },
            job_limit: 24 * 1024,
            time_limit: 60_000,
            session_idle: 24 * 60 * 60 * 1000,
        }
    }
}

/// Another generator, seeded by this one.
#[must_use]
pub fn fork(rng: &mut Random) -> Random {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    Random::from_seed(seed)
}

/// Starts a board's device: [`start`], with generators of its own for device
/// and capsules.
///
/// # Errors
///
/// [`StartError`].
pub fn boot<F, S, const W: usize>(
    plan: Plan<{ NAMES.len() }>,
    flash: F,
    services: S,
    rng: &mut Random,
) -> Result<BoardDevice<F, S, W>, StartError<F::Error>>
where
    F: NorFlash,
    S: Services,
{
    let host = BoardHost::new(services, fork(rng));
    start(plan, flash, fork(rng), host)
}
