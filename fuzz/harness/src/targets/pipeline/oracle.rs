//! What a component must be after an operation of its device: the model of the store,
//! and a few lines on what the device does by itself.

use sealift_storage::sim::{Capsule, Model, Operation};
use sealift_wire::{ComponentStatus, Phase};

use super::capsules::{Capsules, Kind};
use crate::device::PAGE;

/// Starts that a trial has.
const TRIES: u8 = 3;
/// Bytes of a slot for payload; those of the capsules here fit.
const CAPACITY: u32 = u32::MAX;

/// What becomes of a component: each state that it goes through, and whether the device
/// has to agree.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub(super) states: Vec<Model>,
    pub(super) agreed: bool,
}

impl Course {
    /// It stays as it is.
    pub(super) fn from(model: &Model) -> Self {
        Self {
            states: vec![model.clone()],
            agreed: true,
        }
    }

    pub(super) fn last(&self) -> &Model {
        self.states.last().expect("there is a first one")
    }

    /// Does one operation of the store, if what was before was done.
    pub(super) fn then(mut self, operation: Operation, capsules: &[Capsule]) -> Self {
        if self.agreed {
            let (after, good) = self.last().after(operation, capsules, CAPACITY);
            self.states.push(after);
            self.agreed = good;
        }
        self
    }

    /// The payload is there, and is this one.
    pub(super) fn activated(self, i: usize, honest: bool, capsules: &Capsules) -> Self {
        if !self.agreed {
            return self;
        }
        if !honest {
            let mut course = self.then(Operation::Abort, &capsules.modelled);
            course.agreed = false;
            return course;
        }
        let mut course = self
            .then(Operation::Activate(i, TRIES), &capsules.modelled)
            .started(capsules);
        course.agreed &= course.last().active.is_some_and(|(active, _)| active == i);
        course
    }

    /// The device starts what is active: a trial has one try less, and is over if it
    /// fails or has none.
    pub(super) fn started(mut self, capsules: &Capsules) -> Self {
        let Some((i, Some(tries))) = self.last().active else {
            return self;
        };
        if tries > 0 {
            self = self.then(Operation::Attempt, &capsules.modelled);
        }
        if tries == 0 || capsules.sent[i].kind == Kind::Fails {
            self = self.then(Operation::Revert, &capsules.modelled);
        }
        self
    }

    /// What may be found when the power was cut meanwhile, before the device starts
    /// anything; `said` is how far a transfer came.
    pub(super) fn cut(&self, said: &ComponentStatus, capsules: &[Capsule]) -> Vec<Model> {
        let page = PAGE as u32;
        let mut found: Vec<Model> = self
            .states
            .iter()
            .map(|state| state.restarted(capsules, page))
            .collect();
        let open = said.transfer.as_ref().and_then(|open| {
            let of = |capsule: &Capsule| capsule.manifest.digest == open.digest;
            Some((capsules.iter().position(of)?, open.received))
        });
        for (before, after) in self.states.iter().zip(self.states.iter().skip(1)) {
            for transfer in [open, None] {
                let between = Model {
                    transfer,
                    ..after.clone()
                };
                if between.may_follow(before, after, capsules, page) {
                    found.push(between);
                }
            }
        }
        found
    }
}

/// A restart without a cut.
pub(super) fn restarted(model: &Model, capsules: &Capsules) -> Course {
    let restarted = model.restarted(&capsules.modelled, PAGE as u32);
    Course::from(&restarted).started(capsules)
}

/// Whether the device says of a component what the model does.
pub(super) fn is(said: &ComponentStatus, model: &Model, capsules: &[Capsule]) -> bool {
    let number = |i: usize| capsules[i].manifest.sequence_number;
    let (phase, tries) = match model.active {
        None => (Phase::Empty, None),
        Some((_, None)) => (Phase::Confirmed, None),
        Some((_, Some(tries))) => (Phase::Trial, Some(tries)),
    };
    let transfer = model.transfer.map(|(i, received)| {
        let manifest = &capsules[i].manifest;
        (manifest.digest, received, manifest.payload_size)
    });
    let open = said.transfer.as_ref();
    said.phase == phase
        && said.tries_left == tries
        && said.sequence == model.active.map(|(i, _)| number(i))
        && (said.highest, said.floor) == (model.highest, model.floor)
        && said.previous == model.previous.map(number).filter(|p| *p >= model.floor)
        && open.map(|open| (open.digest, open.received, open.size)) == transfer
        && said.running == model.active.is_some()
}
