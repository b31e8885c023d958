//! From a flash to a device.

use core::fmt;

use embedded_storage::nor_flash::{NorFlash, NorFlashError};
use rand_core::CryptoRngCore;
use sealift_core::capsule::{Host, Mapping};
use sealift_core::{Acceptance, BootError, Config, Device, Grants, Limits, Policy};
use sealift_engine::{DEFAULT_CLASS_ID, DEFAULT_VENDOR_ID};
use sealift_oscore::pem;
use sealift_provision::identity::{self, IdentityError};
use sealift_provision::{PAGES, ProvisionError};
use sealift_storage::Layout;

/// What capsules can be granted: all but UDP, for which capsules would need
/// sockets of their own here. What of the rest a board has nothing behind, it
/// says itself.
const OFFERED: Grants = Grants::LOG
    .union(Grants::RNG)
    .union(Grants::TIME)
    .union(Grants::SENSORS)
    .union(Grants::GPIO);

/// What a board decides of its device.
#[derive(Clone, Debug)]
pub struct Plan<const N: usize> {
    /// The device's name in its credential.
    pub subject: &'static str,
    /// The components.
    pub names: [&'static str; N],
    /// Erase pages of one slot.
    pub slot_pages: u16,
    /// Where on the flash the device's pages start: identity, provisioning
    /// record, store.
    pub base: u32,
    /// Where the flash is in memory, if it is.
    pub mapping: Option<Mapping>,
    /// The most that one capsule may get.
    pub limits: Limits,
    /// The largest ephemeral capsule with its input, in bytes.
    pub job_limit: usize,
    /// How long a capsule may take for a start, a call or a job, in
    /// milliseconds.
    pub time_limit: u64,
    /// How long a security context may be idle, in milliseconds.
    pub session_idle: u64,
}

/// Why a device does not start.
#[derive(Debug)]
pub enum StartError<E> {
    /// The device's pages do not fit 32-bit addresses.
    Address,
    /// There is no key.
    Identity(IdentityError<E>),
    /// It does not know whom to trust.
    Provision(ProvisionError),
    /// The store or the peers.
    Boot(BootError<E>),
}

impl<E: NorFlashError> fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("the device's pages are out of reach"),
            Self::Identity(error) => write!(f, "{error}"),
            Self::Provision(error) => write!(f, "{error}"),
            Self::Boot(error) => write!(f, "{error}"),
        }
    }
}

impl<const N: usize> Plan<N> {
    /// The store's place on a flash with pages of `page` bytes.
    fn layout(&self, page: u32) -> Option<Layout<N>> {
        let base = page.checked_mul(PAGES)?.checked_add(self.base)?;
        let layout = Layout::new(base, self.slot_pages, self.names);
        Some(layout.with_counter().with_trust())
    }
}

/// Starts the device of a flash: reads or makes its key, says in the log who it
/// is, and boots it.
///
/// # Errors
///
/// [`StartError`].
pub fn start<F, R, H, const N: usize, const W: usize, const SESSIONS: usize>(
    plan: Plan<N>,
    mut flash: F,
    mut rng: R,
    host: H,
) -> Result<Device<F, R, H, N, W, SESSIONS>, StartError<F::Error>>
where
    F: NorFlash,
    R: CryptoRngCore,
    H: Host,
{
    let page = u32::try_from(F::ERASE_SIZE).map_err(|_| StartError::Address)?;
    let layout = plan.layout(page).ok_or(StartError::Address)?;
    let loaded = identity::load(&mut flash, plan.base, plan.subject, &mut rng)
        .map_err(StartError::Identity)?;
    if loaded.new {
        log::info!("made a new device key");
    }
    let identity = loaded.identity;
    for line in pem::encode_credential(identity.credential()).lines() {
        log::info!("{line}");
    }
    let provision =
        sealift_provision::read(&mut flash, plan.base).map_err(StartError::Provision)?;
    let config = Config {
        acceptance: Acceptance {
            trust: provision.trust.translators,
            root: provision.root,
            vendor_id: DEFAULT_VENDOR_ID,
            class_id: DEFAULT_CLASS_ID,
            offered: OFFERED,
            limits: plan.limits,
        },
        policy: Policy::new(provision.trust.peers),
        identity,
        layout,
        mapping: plan.mapping,
        // RAM is what there is least of.
        beside: false,
        job_limit: plan.job_limit,
        time_limit: plan.time_limit,
        session_idle: plan.session_idle,
    };
    Device::boot(config, flash, rng, host).map_err(StartError::Boot)
}
