//! Requests that wait for a capsule.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use sealift_oscore::coap::BlockOption;
use sealift_oscore::server::{Reply, SessionId};

use crate::request::{Exchange, Request};

/// Calls of one session that wait at the same time, and as many requests that
/// wait for something else.
const PER_SESSION: usize = 4;

/// Characters of a path that the log has room for.
const MAX_NAME: usize = 64;

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
    #[cfg_attr(not(feature = "jobs"), expect(dead_code, reason = "there are none"))]
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
            name: name(request),
        }
    }
}

/// Method and path, as far as there is room for it in a line.
fn name(request: &Request<'_>) -> String {
    let segments = request.path.iter();
    let path = segments.flat_map(|segment| core::iter::once('/').chain(segment.chars()));
    // The path is the peer's: nothing of it may pass for a line.
    let path = path.take(MAX_NAME).flat_map(char::escape_default);
    let mut name = alloc::format!("{} ", request.code);
    name.extend(path);
    name
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
    /// Places for calls.
    capacity: usize,
    /// Of the device.
    components: usize,
}

impl Queue {
    pub(crate) fn new(capacity: usize, components: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            capacity,
            components,
        }
    }

    /// Whether one more request of this session may wait: for an answer of the
    /// capsule that it calls, or for anything else.
    ///
    /// Of the places for calls one is kept for each component that nobody
    /// calls: who fills the queue of a capsule that spins leaves the others
    /// theirs. What waits for a start or for a job has been done already and
    /// takes no place of a call.
    pub(crate) fn has_room(&self, session: SessionId, calls: Option<usize>) -> bool {
        let is_call = |later: &Later| matches!(later, Later::Call { .. });
        let alike = |waiting: &&Waiting| is_call(&waiting.later) == calls.is_some();
        let of_session = |waiting: &&Waiting| waiting.asked.exchange.session == session;
        let mine = self.waiting.iter().filter(alike).filter(of_session);
        if mine.count() >= PER_SESSION {
            return false;
        }
        let Some(vm) = calls else {
            return true;
        };
        let calls = self.waiting.iter().filter(alike).count();
        let kept = (0..self.components)
            .filter(|other| *other != vm && !self.is_called(*other))
            .count();
        calls.saturating_add(kept) < self.capacity
    }

    /// Whether a call waits for `vm`.
    fn is_called(&self, vm: usize) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|w| matches!(w.later, Later::Call { vm: of, .. } if of == vm))
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

    /// Drops the calls of sessions that are `gone`, but for those that a capsule
    /// has already.
    pub(crate) fn forget(&mut self, gone: impl Fn(SessionId) -> bool) {
        self.waiting.retain(|w| {
            let waits = matches!(w.later, Later::Call { begun: false, .. });
            !(waits && gone(w.asked.exchange.session))
        });
    }

    /// Takes out the oldest that `wanted` says yes to.
    pub(crate) fn take(&mut self, wanted: impl Fn(&Later) -> bool) -> Option<Waiting> {
        let at = self.waiting.iter().position(|w| wanted(&w.later))?;
        self.waiting.remove(at)
    }
}
