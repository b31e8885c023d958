//! Requests that wait for a capsule.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use sealift_oscore::coap::BlockOption;
use sealift_oscore::server::Reply;

use crate::request::{Exchange, Request};

/// Requests of one session that wait at the same time.
const PER_SESSION: usize = 4;

/// What a request waits for.
#[derive(Debug)]
pub(crate) enum Later {
    /// That the capsule of `vm` was started; after an activation, that of the
    /// manifest with this digest.
    Start {
        vm: usize,
        activated: Option<[u8; 32]>,
    },
    /// What the capsule of `vm` answers.
    Call {
        vm: usize,
        code: u8,
        message: Vec<u8>,
        /// Whether the capsule has it already.
        begun: bool,
    },
    /// The output of the ephemeral capsule.
    Job,
}

/// What of a request its answer depends on.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) exchange: Exchange,
    pub(crate) block1: Option<BlockOption>,
    pub(crate) block2: Option<BlockOption>,
    /// Method and path, for the log.
    pub(crate) name: String,
}

impl Asked {
    pub(crate) fn of(request: &Request<'_>) -> Self {
        Self {
            exchange: request.exchange(),
            block1: request.block1,
            block2: request.block2,
            // The path is the peer's: nothing of it may pass for a line.
            name: alloc::format!("{} {:?}", request.code, request.path.join("/")),
        }
    }
}

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) asked: Asked,
    pub(crate) later: Later,
    pub(crate) reply: Reply,
}

impl Waiting {
    /// Which of the device's workers it waits for: a component, or `None`, the
    /// one for jobs.
    pub(crate) fn worker(&self) -> Option<usize> {
        match self.later {
            Later::Start { vm, .. } | Later::Call { vm, .. } => Some(vm),
            Later::Job => None,
        }
    }
}

/// The requests that wait, oldest first.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: VecDeque<Waiting>,
    capacity: usize,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            capacity,
        }
    }

    /// Whether one more of the session that asks may wait.
    pub(crate) fn has_room(&self, for_one_of: &Exchange) -> bool {
        let session = for_one_of.session;
        let of = |waiting: &&Waiting| waiting.asked.exchange.session == session;
        let mine = self.waiting.iter().filter(of).count();
        mine < PER_SESSION && self.waiting.len() < self.capacity
    }

    /// Whether anybody waits for this worker.
    pub(crate) fn waits_for(&self, worker: Option<usize>) -> bool {
        self.waiting.iter().any(|w| w.worker() == worker)
    }

    pub(crate) fn push(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
    }

    /// The newest, to be told that it has to wait.
    pub(crate) fn newest(&mut self) -> Option<&mut Waiting> {
        self.waiting.back_mut()
    }

    /// The oldest call for `vm`.
    pub(crate) fn call(&mut self, vm: usize) -> Option<&mut Waiting> {
        self.waiting
            .iter_mut()
            .find(|w| matches!(w.later, Later::Call { vm: of, .. } if of == vm))
    }

    /// Takes out the oldest that `wanted` says yes to.
    pub(crate) fn take(&mut self, wanted: impl Fn(&Later) -> bool) -> Option<Waiting> {
        let at = self.waiting.iter().position(|w| wanted(&w.later))?;
        self.waiting.remove(at)
    }
}
