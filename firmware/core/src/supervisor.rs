//! The persistent capsules: started from flash, called, started again after a
//! fault, and put back when a trial fails.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use embedded_storage::nor_flash::NorFlash;
use sealift_manifest::Kind;
use sealift_storage::{Error as StoreError, Lease, Phase, SlotId, SlotInfo, Store};
use sealift_wire::Refusal;

use crate::acceptance::Acceptance;
use crate::capsule::{Fault, Host, Mapping, Persistent, Quota, Usage};
use crate::policy::Policy;
use crate::refuse;
use crate::turns::{Doing, Outcome, Turn};

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

/// Which start it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    sequence: u64,
    trial: bool,
    /// Of the previous capsule, in the place of a damaged one. Nothing is
    /// written before it runs: two bad slots would take turns at each call.
    instead: bool,
}

/// Why a capsule did not start, or did not answer.
pub(crate) enum Failure {
    /// What is in the slot is not, or no longer, what may run here.
    Unacceptable(Refusal),
    /// The capsule itself failed.
    Fault(Fault),
    /// It had all its time.
    TookTooLong,
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

    /// Begins to start the active capsule of `vm`. What fails on trial is put
    /// back, and what is there then is started instead.
    pub(crate) fn start(&mut self, vm: usize) {
        self.stop(vm);
        self.forget(vm);
        // At most one trial to end, and then what was confirmed before it.
        for _ in 0..2 {
            let Some(active) = self.active(vm) else {
                return;
            };
            let trial = matches!(active.phase, Phase::Trial { .. });
            if trial {
                match self.store.begin_attempt(vm) {
                    Ok(left) => log::info!("{}: trial, {left} tries left", self.name(vm)),
                    Err(StoreError::NoTriesLeft) => {
                        log::warn!("{}: trial given up, no tries left", self.name(vm));
                        if !self.revert(vm) {
                            return;
                        }
                        continue;
                    }
                    Err(error) => {
                        log::error!("{}: trial not started: {error}", self.name(vm));
                        return;
                    }
                }
            }
            let start = Start {
                sequence: active.sequence,
                trial,
                instead: false,
            };
            match self.launch(vm, active.slot, start) {
                Ok(()) => return,
                Err(failure) if !self.give_up(vm, start, &failure) => return,
                Err(_) => {}
            }
        }
    }

    /// A capsule has started.
    pub(crate) fn started(
        &mut self,
        vm: usize,
        start: Start,
        capsule: Persistent<H>,
    ) -> Turn<Outcome> {
        let name = self.name(vm);
        if start.instead {
            if let Err(error) = self.store.rollback(vm) {
                log::error!("{name}: cannot go back: {error}");
                drop(capsule);
                self.stop(vm);
                return Turn::Over(Outcome::Settled);
            }
            log::warn!("{name}: went back to the previous capsule");
        }
        log::info!("{name}: runs, sequence number {}", start.sequence);
        let now = self.now;
        if let Some(place) = self.places.get_mut(vm) {
            place.usage = Some(capsule.usage());
            place.resources = capsule.resources().to_vec();
            place.started = now;
            place.doing = Doing::Ready(capsule);
        }
        Turn::Over(Outcome::Settled)
    }

    /// A capsule has not started; perhaps another one is being started instead.
    pub(crate) fn not_started(
        &mut self,
        vm: usize,
        start: Start,
        failure: &Failure,
    ) -> Turn<Outcome> {
        if let Some(place) = self.places.get_mut(vm) {
            place.doing = Doing::Nothing;
        }
        self.stop(vm);
        if self.give_up(vm, start, failure) {
            self.start(vm);
        }
        match self.is_starting(vm) {
            true => Turn::Again,
            false => Turn::Over(Outcome::Settled),
        }
    }

    /// Draws the consequences of a start that failed; says whether another
    /// capsule is active now and is to be started.
    fn give_up(&mut self, vm: usize, start: Start, failure: &Failure) -> bool {
        if start.instead {
            failure.log(self.name(vm));
            return false;
        }
        self.note(vm, failure);
        match failure {
            // The flash failed, not the capsule: it is tried again with the
            // next call, and a trial has so many tries.
            Failure::Unacceptable(Refusal::Internal) => false,
            _ if start.trial => self.revert(vm),
            // Damaged in its slot: better the previous one than none.
            Failure::Unacceptable(_) => {
                self.fall_back(vm);
                false
            }
            Failure::Fault(_) | Failure::TookTooLong => false,
        }
    }

    /// Checks what is in `slot` and begins to start it.
    fn launch(&mut self, vm: usize, slot: SlotId, start: Start) -> Result<(), Failure> {
        let name = self.name(vm);
        let head = self.head(vm, slot).map_err(Failure::Unacceptable)?;
        let manifest = self
            .acceptance
            .manifest(&head, name, Kind::Persistent)
            .map_err(Failure::Unacceptable)?;
        let floor = self.store.status(vm).map_or(0, |status| status.floor);
        if manifest.sequence_number < floor {
            return Err(Failure::Unacceptable(Refusal::BelowFloor));
        }
        let payload = self
            .payload(vm, slot, &manifest)
            .map_err(Failure::Unacceptable)?;
        // Before anything holds the bytes for longer than this function.
        let lease = self
            .store
            .lend(vm, slot)
            .map_err(|error| Failure::Unacceptable(refuse::store(name, &error)))?;
        let place = self.places.get(vm);
        let quota = place.map(|place| place.quota.clone()).unwrap_or_default();
        let host = self.host.clone();
        let activity = match Persistent::start(&manifest, payload, host, &quota) {
            Ok(activity) => activity,
            Err(fault) => {
                self.give_back(vm, lease);
                return Err(Failure::Fault(fault));
            }
        };
        let now = self.now;
        if let Some(place) = self.places.get_mut(vm) {
            place.doing = Doing::Starting(activity, start);
            place.since = now;
            place.lease = Some(lease);
            place.starts = place.starts.saturating_add(1);
        }
        Ok(())
    }

    /// Ends the trial of `vm`; says whether the store did it.
    fn revert(&mut self, vm: usize) -> bool {
        let name = self.name(vm);
        let result = self.store.revert(vm);
        match result {
            Ok(()) => log::warn!("{name}: went back to the previous capsule"),
            Err(ref error) => log::error!("{name}: cannot go back: {error}"),
        }
        result.is_ok()
    }

    /// Begins to go back from a confirmed capsule that may not run to the
    /// previous one.
    fn fall_back(&mut self, vm: usize) {
        let Some(previous) = self.previous(vm) else {
            return;
        };
        let start = Start {
            sequence: previous.sequence,
            trial: false,
            instead: true,
        };
        if let Err(failure) = self.launch(vm, previous.slot, start) {
            failure.log(self.name(vm));
        }
    }

    pub(crate) fn on_trial(&self, vm: usize) -> bool {
        let active = self.active(vm);
        active.is_some_and(|active| matches!(active.phase, Phase::Trial { .. }))
    }

    /// Logs and remembers why a capsule stopped.
    pub(crate) fn note(&mut self, vm: usize, failure: &Failure) -> Refusal {
        let refusal = failure.log(self.name(vm));
        if let Some(place) = self.places.get_mut(vm) {
            place.last_fault = Some((refusal, failure.to_string()));
        }
        refusal
    }
}

impl Failure {
    /// Logs it; returns what a peer is told.
    fn log(&self, name: &str) -> Refusal {
        match self {
            Self::Unacceptable(refusal) => {
                log::error!("{name}: not started: {refusal}");
                *refusal
            }
            Self::Fault(fault) => {
                log::warn!("{name}: {fault}");
                fault.refusal()
            }
            Self::TookTooLong => {
                log::warn!("{name}: {}", Refusal::TookTooLong);
                Refusal::TookTooLong
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unacceptable(refusal) => write!(f, "{refusal}"),
            Self::Fault(fault) => write!(f, "{fault}"),
            Self::TookTooLong => write!(f, "{}", Refusal::TookTooLong),
        }
    }
}
