//! The persistent capsules: what there is of each, what it did, and calls to it.

mod start;

use alloc::string::String;
use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use sealift_storage::{Lease, Phase, SlotInfo, Store};
use sealift_wire::Refusal;

use crate::acceptance::Acceptance;
use crate::capsule::{Host, Mapping, Quota, Usage};
use crate::policy::Policy;
use crate::refuse;
use crate::turns::{Doing, Outcome};

pub(crate) use start::{Failure, Start};

/// Starts that a trial has before it is given up.
pub(crate) const TRIES: u8 = 3;

/// All components, their slots and their running capsules.
pub(crate) struct Supervisor<F, H: Host, const N: usize, const W: usize> {
    pub(crate) store: Store<F, N, W>,
    pub(crate) mapping: Option<Mapping>,
    /// Whether a capsule goes on while another one is checked.
    pub(crate) beside: bool,
    pub(crate) acceptance: Acceptance,
    pub(crate) policy: Policy,
    /// Whether the policy is another one than what sessions know of.
    pub(crate) peers_changed: bool,
    /// When to read the record again that says whom to trust, where it could not be.
    pub(crate) retry_trust_at: Option<u64>,
    pub(crate) host: H,
    /// The time of the device, in milliseconds.
    pub(crate) now: u64,
    /// How long a start or a call may take, waiting included, in milliseconds.
    pub(crate) time_limit: u64,
    pub(crate) places: [Place<H>; N],
}

/// What there is of a component in RAM.
pub(crate) struct Place<H: Host> {
    pub(crate) doing: Doing<H>,
    /// Since when it has been doing that.
    pub(crate) since: u64,
    /// What ended without a turn of its own and is still to be told.
    pub(crate) over: Option<Outcome>,
    /// Keeps the slot of the instance as it is.
    lease: Option<Lease>,
    /// What the capsule used.
    pub(crate) usage: Option<Usage>,
    /// What its capsules may log and send, whichever it is.
    quota: Quota,
    /// The paths that the capsule reported.
    resources: Vec<String>,
    /// When the instance was started.
    started: u64,
    starts: u32,
    last_fault: Option<(Refusal, String)>,
}

/// What came of an attempt to call a capsule.
pub(crate) enum Call {
    /// It works on it.
    Begun,
    /// It is being started, or works on something else.
    Later,
}

impl<F: NorFlash, H: Host, const N: usize, const W: usize> Supervisor<F, H, N, W> {
    /// Trusts whom the store says, and begins to start every capsule that is
    /// active in it.
    pub(crate) fn boot(
        store: Store<F, N, W>,
        mapping: Option<Mapping>,
        beside: bool,
        acceptance: Acceptance,
        policy: Policy,
        host: H,
        time_limit: u64,
    ) -> Self {
        let mut supervisor = Self {
            store,
            mapping,
            beside,
            acceptance,
            policy,
            peers_changed: false,
            retry_trust_at: None,
            host,
            now: 0,
            time_limit,
            places: core::array::from_fn(|_| Place {
                doing: Doing::Nothing,
                since: 0,
                over: None,
                lease: None,
                usage: None,
                quota: Quota::default(),
                resources: Vec::new(),
                started: 0,
                starts: 0,
                last_fault: None,
            }),
        };
        supervisor.load_trust();
        // Sessions are still to come.
        supervisor.peers_changed = false;
        for vm in 0..N {
            supervisor.start(vm);
        }
        supervisor
    }

    /// The name of a component.
    pub(crate) fn name(&self, vm: usize) -> &'static str {
        self.store.layout().name(vm).unwrap_or("?")
    }

    /// What the active slot of `vm` holds.
    pub(crate) fn active(&self, vm: usize) -> Option<SlotInfo> {
        self.store.status(vm)?.active
    }

    /// What a roll back of `vm` would put back.
    pub(crate) fn previous(&self, vm: usize) -> Option<SlotInfo> {
        self.store.status(vm)?.previous
    }

    /// Whether the capsule of `vm` runs.
    pub(crate) fn is_running(&self, vm: usize) -> bool {
        let place = self.places.get(vm);
        place.is_some_and(|place| matches!(place.doing, Doing::Ready(_) | Doing::Answering(_)))
    }

    /// Whether the capsule of `vm` is being started.
    pub(crate) fn is_starting(&self, vm: usize) -> bool {
        let place = self.places.get(vm);
        place.is_some_and(|place| matches!(place.doing, Doing::Starting(..)))
    }

    /// Whether the capsule of `vm` is being started or works on a request.
    pub(crate) fn is_at_work(&self, vm: usize) -> bool {
        let place = self.places.get(vm);
        place.is_some_and(|p| matches!(p.doing, Doing::Starting(..) | Doing::Answering(_)))
    }

    /// Whether the capsule of `vm` is on trial.
    pub(crate) fn on_trial(&self, vm: usize) -> bool {
        let active = self.active(vm);
        active.is_some_and(|active| matches!(active.phase, Phase::Trial { .. }))
    }

    /// The reason for which a capsule of `vm` was last stopped, and what the
    /// log said of it.
    pub(crate) fn last_fault(&self, vm: usize) -> Option<&(Refusal, String)> {
        self.places.get(vm)?.last_fault.as_ref()
    }

    /// What the capsule has used; if a fault stopped it, until then.
    pub(crate) fn usage(&self, vm: usize) -> Option<Usage> {
        self.places.get(vm)?.usage
    }

    /// How often a capsule of `vm` was started.
    pub(crate) fn starts(&self, vm: usize) -> u32 {
        self.places.get(vm).map_or(0, |place| place.starts)
    }

    /// How long the capsule has been running, in milliseconds.
    pub(crate) fn uptime(&self, vm: usize) -> Option<u64> {
        let place = self.places.get(vm).filter(|_| self.is_running(vm))?;
        Some(self.now.saturating_sub(place.started))
    }

    /// The paths that the capsule of `vm` reported.
    pub(crate) fn resources(&self, vm: usize) -> &[String] {
        self.places.get(vm).map_or(&[], |place| &place.resources)
    }

    /// Calls the capsule of `vm` with a request; starts it if there is no
    /// instance.
    pub(crate) fn call(&mut self, vm: usize, code: u8, message: &[u8]) -> Result<Call, Refusal> {
        if !self.is_running(vm) && !self.is_starting(vm) {
            self.start(vm);
        }
        let name = self.name(vm);
        let place = self.places.get_mut(vm).ok_or(Refusal::NoCapsule)?;
        match core::mem::replace(&mut place.doing, Doing::Nothing) {
            Doing::Nothing => Err(Refusal::NoCapsule),
            Doing::Ready(capsule) => match capsule.call(code, message) {
                Ok(activity) => {
                    place.doing = Doing::Answering(activity);
                    place.since = self.now;
                    Ok(Call::Begun)
                }
                // The caller's fault: the capsule has not seen it.
                Err((capsule, fault)) => {
                    place.doing = Doing::Ready(capsule);
                    Err(refuse::because(name, &fault, fault.refusal()))
                }
            },
            busy => {
                place.doing = busy;
                Ok(Call::Later)
            }
        }
    }

    /// Ends the instance of `vm`, if there is one, and frees its slot.
    pub(crate) fn stop(&mut self, vm: usize) {
        let Some(place) = self.places.get_mut(vm) else {
            return;
        };
        // The instance goes first: until then it may read its slot.
        match core::mem::replace(&mut place.doing, Doing::Nothing) {
            Doing::Answering(_) => place.over = Some(Outcome::Answered(Err(Refusal::Stopped))),
            Doing::Starting(..) => place.over = Some(Outcome::Settled),
            Doing::Nothing | Doing::Ready(_) => {}
        }
        if let Some(lease) = place.lease.take() {
            self.give_back(vm, lease);
        }
    }

    /// Nothing uses the bytes of this slot any more.
    fn give_back(&mut self, vm: usize, lease: Lease) {
        if let Err(error) = self.store.give_back(lease) {
            log::error!("{}: {error}", self.name(vm));
        }
    }

    /// Forgets what the last capsule of `vm` said and used. One that a fault has
    /// stopped is remembered until it is started again.
    pub(crate) fn forget(&mut self, vm: usize) {
        if let Some(place) = self.places.get_mut(vm) {
            place.usage = None;
            place.resources = Vec::new();
        }
    }
}
