//! What the store must be, in a few lines.

use super::Capsule;
use crate::{ComponentStatus, HEAD_AREA, Phase};

/// One operation on a component. Capsules are numbered as in the list that
/// goes with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Open the transfer of a capsule.
    Open(usize),
    /// Send up to so many of the bytes that are missing.
    Write(u32),
    /// Give the transfer up.
    Abort,
    /// Activate, with the manifest of a capsule and so many tries.
    Activate(usize, u8),
    /// Begin an attempt to run the trial.
    Attempt,
    /// Confirm, with the manifest of a capsule.
    Confirm(usize),
    /// Roll back, by request.
    Rollback,
    /// Put the previous capsule back after a failed trial.
    Revert,
    /// Remove everything.
    Remove,
}

/// The state of a component: which capsules it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// The rollback floor.
    pub floor: u64,
    /// The highest sequence number ever activated.
    pub highest: u64,
    /// The active capsule, and on trial the tries left.
    pub active: Option<(usize, Option<u8>)>,
    /// The confirmed capsule in the other slot, whatever the floor.
    pub previous: Option<usize>,
    /// The open transfer and the bytes received.
    pub transfer: Option<(usize, u32)>,
}

impl Model {
    /// The state after an operation, and whether the store must say that it
    /// was done.
    #[must_use]
    pub fn after(&self, operation: Operation, capsules: &[Capsule], capacity: u32) -> (Self, bool) {
        let mut next = self.clone();
        let number = |i: usize| capsules[i].manifest.sequence_number;
        let size = |i: usize| capsules[i].manifest.payload_size;
        let trial = matches!(self.active, Some((_, Some(_))));
        let previous = self.previous.filter(|p| number(*p) >= self.floor);
        let done = match (operation, self.active, self.transfer) {
            (Operation::Open(i), Some((active, _)), _) if i == active => true,
            (Operation::Open(i), _, Some((open, _))) if i == open => true,
            (Operation::Open(i), _, _) => {
                let good = !trial && number(i) > self.highest && size(i) <= capacity;
                if good {
                    (next.previous, next.transfer) = (None, Some((i, 0)));
                }
                good
            }
            (Operation::Write(len), _, Some((i, received))) => {
                next.transfer = Some((i, received + len.min(size(i) - received)));
                true
            }
            (Operation::Abort, _, Some(_)) => {
                next.transfer = None;
                true
            }
            (Operation::Activate(i, tries), active, Some((open, received))) => {
                let whole = i == open && received == size(i);
                let good = whole && capsules[i].is_honest();
                if whole {
                    next.transfer = None;
                }
                if good {
                    (next.active, next.previous) = (Some((i, Some(tries))), active.map(|a| a.0));
                    next.highest = number(i);
                }
                good
            }
            (Operation::Attempt, Some((i, Some(tries))), _) if tries > 0 => {
                next.active = Some((i, Some(tries - 1)));
                true
            }
            (Operation::Confirm(i), Some((active, Some(_))), _) if i == active => {
                next.active = Some((i, None));
                next.floor = self.floor.max(capsules[i].manifest.invoke.floor);
                true
            }
            (Operation::Rollback, Some((active, _)), _) if previous.is_some() => {
                next.active = previous.map(|p| (p, None));
                next.previous = (!trial).then_some(active);
                true
            }
            (Operation::Revert, Some((_, Some(_))), _) => {
                (next.active, next.previous) = (previous.map(|p| (p, None)), None);
                true
            }
            (Operation::Remove, _, _) => {
                (next.active, next.previous, next.transfer) = (None, None, None);
                true
            }
            _ => false,
        };
        (next, done)
    }

    /// The state after a restart: the transfer stands at a page boundary, or
    /// is gone.
    #[must_use]
    pub fn restarted(&self, capsules: &[Capsule], page: u32) -> Self {
        let mut next = self.clone();
        next.transfer = self.transfer.and_then(|(i, received)| {
            let size = capsules[i].manifest.payload_size;
            let whole = (HEAD_AREA + received) / page * page;
            match whole.checked_sub(HEAD_AREA) {
                _ if received == size => Some((i, received)),
                Some(whole) => Some((i, whole)),
                None => None,
            }
        });
        next
    }

    /// Whether `self` may be found after a cut in the midst of `operation`:
    /// the restarted state before it, or after it, and of a transfer anything
    /// in between.
    #[must_use]
    pub fn may_follow(&self, before: &Self, after: &Self, capsules: &[Capsule], page: u32) -> bool {
        let mut between = after.clone();
        between.transfer = self.transfer;
        let transfer_between = match (self.transfer, before.transfer, after.transfer) {
            // A transfer that was just opened: its head is not whole yet.
            (None, open, Some((new, 0))) => open.is_none_or(|(old, _)| old != new),
            (Some((i, at)), Some((from, low)), Some((to, high))) => {
                i == from && i == to && low <= at && at <= high
            }
            _ => false,
        };
        let restarted = |state: &Self| *self == state.restarted(capsules, page);
        let on_boundary = restarted(self);
        restarted(before) || restarted(after) || on_boundary && *self == between && transfer_between
    }

    /// Whether this is what the store reports.
    #[must_use]
    pub fn matches(&self, status: &ComponentStatus, capsules: &[Capsule]) -> bool {
        *self == Self::of(status, capsules, self.previous)
    }

    /// The state that the store reports. What it does not report, a confirmed
    /// capsule under the floor, is taken from `hidden`.
    #[must_use]
    pub fn of(status: &ComponentStatus, capsules: &[Capsule], hidden: Option<usize>) -> Self {
        let find = |digest: [u8; 32]| {
            capsules
                .iter()
                .position(|capsule| capsule.manifest.digest == digest)
                .unwrap_or(usize::MAX)
        };
        let hidden = hidden.filter(|i| capsules[*i].manifest.sequence_number < status.floor);
        let may_hide = status.active.is_some() && status.transfer.is_none();
        Self {
            floor: status.floor,
            highest: status.highest,
            active: status.active.map(|info| {
                let tries = match info.phase {
                    Phase::Confirmed => None,
                    Phase::Trial { tries_left } => Some(tries_left),
                };
                (find(info.digest), tries)
            }),
            previous: status
                .previous
                .map(|info| find(info.digest))
                .or(hidden.filter(|_| may_hide)),
            transfer: status
                .transfer
                .map(|transfer| (find(transfer.digest), transfer.received)),
        }
    }
}
