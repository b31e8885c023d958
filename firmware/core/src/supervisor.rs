//! The persistent capsules: started from flash, called, started again after a
//! fault, and put back when a trial fails.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;

use embedded_storage::nor_flash::NorFlash;
use sealift_manifest::{Kind, MAX_HEAD, Manifest, Payload, Verified};
use sealift_storage::{Error as StoreError, Lease, Phase, SlotId, SlotInfo, Store};
use sealift_wire::Refusal;

use crate::acceptance::Acceptance;
use crate::capsule::{Activity, Answer, ArtifactBytes, Fault, Host, Persistent, ReadError};
use crate::refuse;

/// Starts that a trial has before it is given up.
pub(crate) const TRIES: u8 = 3;

/// All components, their slots and their running capsules.
pub(crate) struct Supervisor<F, H: Host, const N: usize, const W: usize> {
    pub(crate) store: Store<F, N, W>,
    pub(crate) acceptance: Acceptance,
    host: H,
    running: [Option<Running<H>>; N],
    last_fault: [Option<Refusal>; N],
    fuel_last: [Option<u64>; N],
}

/// A capsule that runs, and the slot that it was started from.
struct Running<H: Host> {
    capsule: Persistent<H>,
    lease: Lease,
}

/// Why a capsule did not start.
enum Failure {
    /// What is in the slot is not, or no longer, what may run here.
    Unacceptable(Refusal),
    /// The capsule itself failed.
    Fault(Fault),
}

impl<F: NorFlash, H: Host, const N: usize, const W: usize> Supervisor<F, H, N, W>
where
    F::Error: Debug,
{
    /// Starts every capsule that is active in the store.
    pub(crate) fn boot(store: Store<F, N, W>, acceptance: Acceptance, host: H) -> Self {
        let mut supervisor = Self {
            store,
            acceptance,
            host,
            running: [const { None }; N],
            last_fault: [None; N],
            fuel_last: [None; N],
        };
        for vm in 0..N {
            supervisor.start(vm);
        }
        supervisor
    }

    /// The name of a component.
    pub(crate) fn name(&self, vm: usize) -> &'static str {
        self.store.layout().names().get(vm).copied().unwrap_or("?")
    }

    /// The host that capsules call.
    pub(crate) fn host(&self) -> &H {
        &self.host
    }

    /// What the active slot of `vm` holds.
    pub(crate) fn active(&self, vm: usize) -> Option<SlotInfo> {
        self.store.status(vm)?.active
    }

    /// What a roll back of `vm` would put back.
    pub(crate) fn previous(&self, vm: usize) -> Option<SlotInfo> {
        self.store.status(vm)?.previous
    }

    /// Whether the capsule of `vm` is in RAM.
    pub(crate) fn is_running(&self, vm: usize) -> bool {
        matches!(self.running.get(vm), Some(Some(_)))
    }

    /// The reason for which a capsule of `vm` was last stopped.
    pub(crate) fn last_fault(&self, vm: usize) -> Option<Refusal> {
        self.last_fault.get(vm).copied().flatten()
    }

    /// Fuel that the last call used.
    pub(crate) fn fuel_last(&self, vm: usize) -> Option<u64> {
        self.fuel_last.get(vm).copied().flatten()
    }

    /// Linear memory that the capsule has now, in bytes.
    pub(crate) fn memory(&self, vm: usize) -> Option<u32> {
        let running = self.running.get(vm)?.as_ref()?;
        Some(running.capsule.usage().memory)
    }

    /// The paths that the capsule of `vm` reported.
    pub(crate) fn resources(&self, vm: usize) -> &[String] {
        match self.running.get(vm) {
            Some(Some(running)) => running.capsule.resources(),
            _ => &[],
        }
    }

    /// Calls the capsule of `vm` with a request. After a fault it is started
    /// anew, or put back if it was a trial without tries left.
    pub(crate) fn call(&mut self, vm: usize, code: u8, message: &[u8]) -> Result<Answer, Refusal> {
        if !self.is_running(vm) {
            self.start(vm);
        }
        let Running { capsule, lease } = self
            .running
            .get_mut(vm)
            .and_then(Option::take)
            .ok_or(Refusal::NoCapsule)?;
        let (capsule, answer) = match capsule.call(code, message) {
            Ok(activity) => {
                let called = activity.finish();
                (called.capsule, called.answer)
            }
            Err((capsule, fault)) => (capsule, Err(fault)),
        };
        if let Some(last) = self.fuel_last.get_mut(vm) {
            *last = Some(capsule.usage().fuel_last);
        }
        if let Some(place) = self.running.get_mut(vm) {
            *place = Some(Running { capsule, lease });
        }
        match answer {
            Ok(answer) => Ok(answer),
            // The caller's fault: the capsule has not seen it.
            Err(fault @ Fault::RequestTooLong) => {
                Err(refuse::because(self.name(vm), &fault, fault.refusal()))
            }
            Err(fault) => {
                let refusal = self.note(vm, &Failure::Fault(fault));
                self.stop(vm);
                if self.on_trial(vm) {
                    self.start(vm);
                }
                Err(refusal)
            }
        }
    }

    /// Stops the capsule of `vm`, if it runs, and frees its slot.
    pub(crate) fn stop(&mut self, vm: usize) {
        if let Some(running) = self.running.get_mut(vm).and_then(Option::take) {
            self.release(vm, running);
        }
    }

    /// Starts the active capsule of `vm`. What fails on trial is put back,
    /// and what is there then is started instead.
    pub(crate) fn start(&mut self, vm: usize) {
        self.stop(vm);
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
                        log::error!("{}: trial not started: {error:?}", self.name(vm));
                        return;
                    }
                }
            }
            let failure = match self.launch(vm, active.slot) {
                Ok(running) => return self.runs(vm, running, active.sequence),
                Err(failure) => failure,
            };
            self.note(vm, &failure);
            match failure {
                // The flash failed, not the capsule: it is tried again with
                // the next call, and a trial has so many tries.
                Failure::Unacceptable(Refusal::Internal) => return,
                _ if trial => {
                    if !self.revert(vm) {
                        return;
                    }
                }
                // Damaged in its slot: better the previous one than none.
                Failure::Unacceptable(_) => return self.fall_back(vm),
                Failure::Fault(_) => return,
            }
        }
    }

    /// Puts the payload in `slot` to the proof: reads it, and checks it
    /// against its manifest.
    pub(crate) fn payload(
        &mut self,
        vm: usize,
        slot: SlotId,
        manifest: &Verified<Manifest<'_>>,
    ) -> Result<Verified<Payload<ArtifactBytes>>, Refusal> {
        let name = self.name(vm);
        let store = &mut self.store;
        let bytes = ArtifactBytes::read(manifest.payload_size, |offset, piece| {
            store.read_payload(vm, slot, offset, piece)
        })
        .map_err(|error| match error {
            ReadError::Source(error) => refuse::store(name, &error),
            // No fault of the payload, which stays where it is.
            ReadError::NoMemory => refuse::because(name, &"no memory", Refusal::Internal),
        })?;
        manifest
            .admit(bytes)
            .map_err(|error| refuse::because(name, &error, Refusal::WrongPayload))
    }

    /// Reads the head of the envelope in `slot` and verifies it.
    pub(crate) fn head(&mut self, vm: usize, slot: SlotId) -> Result<Vec<u8>, Refusal> {
        let name = self.name(vm);
        let mut buffer = alloc::vec![0; MAX_HEAD];
        let length = self
            .store
            .read_head(vm, slot, &mut buffer)
            .map_err(|error| refuse::store(name, &error))?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    fn launch(&mut self, vm: usize, slot: SlotId) -> Result<Running<H>, Failure> {
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
        let capsule = Persistent::start(&manifest, payload, self.host.clone())
            .and_then(Activity::finish)
            .map_err(Failure::Fault)?;
        let lease = self
            .store
            .lend(vm, slot)
            .map_err(|error| Failure::Unacceptable(refuse::store(name, &error)))?;
        Ok(Running { capsule, lease })
    }

    /// Takes note that a capsule runs.
    fn runs(&mut self, vm: usize, running: Running<H>, sequence: u64) {
        log::info!("{}: runs, sequence number {sequence}", self.name(vm));
        if let Some(place) = self.running.get_mut(vm) {
            *place = Some(running);
        }
    }

    /// Ends an instance and frees its slot.
    fn release(&mut self, vm: usize, running: Running<H>) {
        let Running { capsule, lease } = running;
        // The instance goes first: until then it may read its slot.
        drop(capsule);
        if let Err(error) = self.store.give_back(lease) {
            log::error!("{}: {error:?}", self.name(vm));
        }
    }

    /// Ends the trial of `vm`; says whether the store did it.
    fn revert(&mut self, vm: usize) -> bool {
        let name = self.name(vm);
        let result = self.store.revert(vm);
        match result {
            Ok(()) => log::warn!("{name}: went back to the previous capsule"),
            Err(ref error) => log::error!("{name}: cannot go back: {error:?}"),
        }
        result.is_ok()
    }

    /// Goes back from a confirmed capsule that may not run to the previous
    /// one, if that runs. Nothing is written before it does: two bad slots
    /// would take turns at each call.
    fn fall_back(&mut self, vm: usize) {
        let name = self.name(vm);
        let Some(previous) = self.previous(vm) else {
            return;
        };
        let running = match self.launch(vm, previous.slot) {
            Ok(running) => running,
            Err(failure) => {
                failure.log(name);
                return;
            }
        };
        match self.store.rollback(vm) {
            Ok(()) => {
                log::warn!("{name}: went back to the previous capsule");
                self.runs(vm, running, previous.sequence);
            }
            Err(error) => {
                log::error!("{name}: cannot go back: {error:?}");
                self.release(vm, running);
            }
        }
    }

    fn on_trial(&self, vm: usize) -> bool {
        let active = self.active(vm);
        active.is_some_and(|active| matches!(active.phase, Phase::Trial { .. }))
    }

    /// Logs and remembers why a capsule stopped.
    fn note(&mut self, vm: usize, failure: &Failure) -> Refusal {
        let refusal = failure.log(self.name(vm));
        if let Some(last) = self.last_fault.get_mut(vm) {
            *last = Some(refusal);
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
        }
    }
}
