//! Starting a persistent capsule: what is checked each time before it runs, and
//! what takes its place when it does not.

use alloc::string::ToString;
use core::fmt;

use embedded_storage::nor_flash::NorFlash;
use sealift_manifest::Kind;
use sealift_storage::{Error as StoreError, Phase, SlotId};
use sealift_wire::Refusal;

use super::Supervisor;
use crate::capsule::{Fault, Host, Persistent};
use crate::refuse;
use crate::turns::{Doing, Outcome, Turn};

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

impl<F: NorFlash, H: Host, const N: usize, const W: usize> Supervisor<F, H, N, W> {
    /// Begins to start the active capsule of `vm`. What fails on trial is put
    /// back, and what is there then is started instead.
    pub(crate) fn start(&mut self, vm: usize) {
        self.stop(vm);
        self.forget(vm);
        if self.retry_trust_at.is_some() {
            return;
        }
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
