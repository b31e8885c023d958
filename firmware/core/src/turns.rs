//! What each component is doing, a turn at a time.
//!
//! # Nobody starves
//!
//! Fuel bounds what a call costs in all; what it costs the others is bounded
//! by turns. One is a [`SLICE`](crate::capsule::SLICE) of fuel, or at most three with
//! host calls, each of which costs fuel for what it moves; and before or after it perhaps the beginning of a
//! start, which is to read, hash and verify a slot, and to load it. A single
//! instruction that fills or copies memory is not cut in two, and moves no
//! more than the capsule has.
//!
//! - Components and the job have turns one after the other, however many
//!   requests wait for one of them. So with `N` components, one that is at work
//!   has at least every `N + 2`nd turn.
//! - The device takes a datagram after `N + 1` turns at most, and as many more for each
//!   answer that gets ready meanwhile. One with a request
//!   for a capsule gives that one turn ahead of the others, and none if it is
//!   at work already. (If it is alone, it has a few at once, and nobody is kept
//!   from anything.)
//! - What the device answers by itself - status, discovery, blocks of an update,
//!   confirm, removal - waits for no turn.
//! - Requests that wait for one capsule leave a place in the queue for each of
//!   the others.

use embedded_storage::nor_flash::NorFlash;
use sealift_wire::Refusal;

use crate::capsule::{Activity, Answer, Called, Fault, Host, Persistent, Progress};
use crate::supervisor::{Failure, Start, Supervisor};

/// How soon to look again where a capsule waits for something that has no time.
const LOOK_AGAIN_MS: u64 = 20;

/// What the capsule of a component is doing.
pub(crate) enum Doing<H: Host> {
    /// There is no instance.
    Nothing,
    /// It is being started.
    Starting(Activity<Result<Persistent<H>, Fault>>, Start),
    /// It waits for requests.
    Ready(Persistent<H>),
    /// It works on one.
    Answering(Activity<Called<H>>),
}

/// What came of a turn.
pub(crate) enum Turn<T> {
    /// Nothing is going on.
    Idle,
    /// It is not at its end: another turn, when the others had theirs.
    Again,
    /// It waits, at most until this time of the device.
    Waits(u64),
    /// Something came to its end.
    Over(T),
}

/// What a capsule was doing and is done with.
pub(crate) enum Outcome {
    /// The request that it was called with has its answer.
    Answered(Result<Answer, Refusal>),
    /// It was started, or could not be: what is there now stays.
    Settled,
}

/// The turn of whoever has come this far. `started` is when it began, and it
/// may take `limit`, both in milliseconds; `None` when its time is up.
pub(crate) fn turn<T, H: Host>(
    progress: Progress<T>,
    host: &mut H,
    now: u64,
    started: u64,
    limit: u64,
) -> Option<Turn<T>> {
    let end = started.saturating_add(limit);
    let until = match progress {
        Progress::Done(result) => return Some(Turn::Over(result)),
        _ if now >= end => return None,
        Progress::Again => return Some(Turn::Again),
        // The board's clock need not be the one that the device is told.
        Progress::Waits(Some(until)) => now.saturating_add(until.saturating_sub(host.now_ms())),
        Progress::Waits(None) => now.saturating_add(LOOK_AGAIN_MS),
    };
    Some(Turn::Waits(until.min(end)))
}

impl<F: NorFlash, H: Host, const N: usize, const W: usize> Supervisor<F, H, N, W> {
    /// Lets the capsule of `vm` go on for a slice.
    pub(crate) fn step(&mut self, vm: usize) -> Turn<Outcome> {
        let (now, limit) = (self.now, self.time_limit);
        let Some(place) = self.places.get_mut(vm) else {
            return Turn::Idle;
        };
        if let Some(outcome) = place.over.take() {
            return Turn::Over(outcome);
        }
        let since = place.since;
        match &mut place.doing {
            Doing::Nothing | Doing::Ready(_) => Turn::Idle,
            Doing::Starting(activity, start) => {
                let start = *start;
                match turn(activity.poll(), &mut self.host, now, since, limit) {
                    Some(Turn::Over(Ok(capsule))) => self.started(vm, start, capsule),
                    Some(Turn::Over(Err(fault))) => {
                        self.not_started(vm, start, &Failure::Fault(fault))
                    }
                    None => self.not_started(vm, start, &Failure::TookTooLong),
                    Some(Turn::Again) => Turn::Again,
                    Some(Turn::Waits(until)) => Turn::Waits(until),
                    Some(Turn::Idle) => Turn::Idle,
                }
            }
            Doing::Answering(activity) => {
                match turn(activity.poll(), &mut self.host, now, since, limit) {
                    Some(Turn::Over(called)) => self.answered(vm, called),
                    None => self.failed(vm, &Failure::TookTooLong),
                    Some(Turn::Again) => Turn::Again,
                    Some(Turn::Waits(until)) => Turn::Waits(until),
                    Some(Turn::Idle) => Turn::Idle,
                }
            }
        }
    }

    fn answered(&mut self, vm: usize, called: Called<H>) -> Turn<Outcome> {
        let Called { capsule, answer } = called;
        if let Some(place) = self.places.get_mut(vm) {
            place.usage = Some(capsule.usage());
            place.doing = Doing::Ready(capsule);
        }
        match answer {
            Ok(answer) => Turn::Over(Outcome::Answered(Ok(answer))),
            Err(fault) => self.failed(vm, &Failure::Fault(fault)),
        }
    }

    /// A call failed. The instance is gone; a trial is started anew, or put
    /// back if it has no tries left.
    fn failed(&mut self, vm: usize, failure: &Failure) -> Turn<Outcome> {
        let refusal = self.note(vm, failure);
        if let Some(place) = self.places.get_mut(vm) {
            // Whoever waits is told why, not that it was stopped.
            place.doing = Doing::Nothing;
        }
        self.stop(vm);
        if self.on_trial(vm) {
            self.start(vm);
        }
        Turn::Over(Outcome::Answered(Err(refusal)))
    }
}
