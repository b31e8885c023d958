//! The device: datagrams in, datagrams out, and time for capsules between them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::net::SocketAddr;

use embedded_storage::nor_flash::NorFlash;
use rand_core::CryptoRngCore;
use sealift_oscore::coap::{Code, number};
use sealift_oscore::server::{self, Incoming, Server};
use sealift_oscore::{Credential, CredentialError, Error, Identity, MAX_DATAGRAM};
use sealift_storage::{Error as StoreError, Layout, Store};
use sealift_wire::Refusal;

use crate::acceptance::Acceptance;
use crate::capsule::Host;
use crate::claim::HELD_MS;
use crate::policy::Policy;
use crate::request::Request;
use crate::response::Response;
use crate::sending::{Answer, Outbox};
use crate::service::{Reply, Service};
use crate::supervisor::{Call, Supervisor};
use crate::turns::{Outcome, Turn};
use crate::waiting::{Asked, Later, Queue, Waiting};

/// Key exchanges that may be half open at a time.
const PENDING: usize = 4;
/// Credentials that a device can know.
const PEERS: usize = 8;
/// Slices that a capsule gets for an answer that goes with the acknowledgement;
/// one that takes longer is sent by itself (RFC 7252, 5.2.2).
const PROMPT: usize = 8;
/// How old a request may be that does something, in milliseconds: older than
/// the last sign that its sender was there, it is asked for again.
const FRESH_MS: u64 = 10 * 60 * 1000;
/// The longest time that [`Device::poll`] asks to be left alone for.
const REST_MS: u64 = 60_000;

/// What makes a device this device.
#[derive(Debug)]
pub struct Config<const N: usize> {
    /// Which signed manifests it takes.
    pub acceptance: Acceptance,
    /// Which peers it knows, and what they may do.
    pub policy: Policy,
    /// Its own key and credential.
    pub identity: Identity,
    /// Where on the flash its components are.
    pub layout: Layout<N>,
    /// The largest body of a request to run an ephemeral capsule, in bytes:
    /// envelope and input are in RAM while it runs.
    pub job_limit: usize,
    /// How long a capsule may take for a start, a call or a job, waiting
    /// included, in milliseconds.
    pub time_limit: u64,
    /// How long a security context may be idle before it ends, in
    /// milliseconds.
    pub session_idle: u64,
}

/// A whole device, without its I/O.
///
/// A board owns one, hands it every datagram that arrives, sends what it gets
/// back, and then calls [`Device::poll`] until that says to wait. `F` is the
/// flash, `R` the random source, `H` what capsules may use of the board. `N` is
/// the number of components, `W` the flash's write word in bytes and `SESSIONS`
/// the number of peers with a security context.
pub struct Device<F, R, H: Host, const N: usize, const W: usize, const SESSIONS: usize> {
    service: Service<F, H, N, W>,
    server: Server<SESSIONS, PENDING, PEERS>,
    policy: Policy,
    rng: R,
    scratch: Vec<u8>,
    outbox: Outbox,
    queue: Queue,
    /// Answers that are to be sent.
    ready: VecDeque<(server::Reply, Answer)>,
    /// Whose turn is next: that of a component, or of the job.
    next: usize,
}

/// What a board has to do after [`Device::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this many bytes of the buffer to this address, then poll again.
    Send(SocketAddr, usize),
    /// Wait for a datagram, at most until this time, then poll again. A time
    /// that is not in the future means to look for a datagram and to poll again.
    Wait(u64),
}

/// Why a device does not start.
#[derive(Debug)]
pub enum BootError<E> {
    /// The flash failed, or the layout does not suit it.
    Store(StoreError<E>),
    /// More credentials than there is room for.
    Peers(CredentialError),
}

impl<E: Debug> core::fmt::Display for BootError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Store(error) => write!(f, "the store cannot be used: {error:?}"),
            Self::Peers(error) => write!(f, "{error}"),
        }
    }
}

impl<E: Debug> core::error::Error for BootError<E> {}

impl<F, R, H, const N: usize, const W: usize, const SESSIONS: usize> Device<F, R, H, N, W, SESSIONS>
where
    F: NorFlash<Error: Debug>,
    R: CryptoRngCore,
    H: Host,
{
    /// Reads the state from flash, checks every active capsule again, and
    /// begins to start it.
    ///
    /// # Errors
    ///
    /// [`BootError`]. What is wrong with a single capsule is no error: it is
    /// logged, and the device starts without it.
    pub fn boot(config: Config<N>, flash: F, rng: R, host: H) -> Result<Self, BootError<F::Error>> {
        let store = Store::mount(flash, config.layout).map_err(BootError::Store)?;
        let peers: Vec<Credential> = config.policy.credentials().cloned().collect();
        let mut server = Server::new(config.identity, &peers).map_err(BootError::Peers)?;
        server.set_idle(config.session_idle);
        let vms = Supervisor::boot(store, config.acceptance, host, config.time_limit);
        Ok(Self {
            service: Service::new(vms, config.job_limit, SESSIONS),
            server,
            policy: config.policy,
            rng,
            scratch: alloc::vec![0; MAX_DATAGRAM],
            outbox: Outbox::default(),
            queue: Queue::new(SESSIONS.saturating_mul(2)),
            ready: VecDeque::new(),
            next: 0,
        })
    }

    /// Takes a datagram that arrived from `peer` at `now` (milliseconds of
    /// any clock that does not go back). Returns the length of the datagram
    /// in `out` that is to be sent back to `peer`, 0 if there is none. `out`
    /// should have [`MAX_DATAGRAM`] bytes.
    pub fn handle_datagram(
        &mut self,
        now: u64,
        peer: SocketAddr,
        datagram: &[u8],
        out: &mut [u8],
    ) -> usize {
        self.service.vms.now = now;
        // Lent to the request, so that everything else can change meanwhile.
        let mut scratch = core::mem::take(&mut self.scratch);
        let incoming = self
            .server
            .receive(now, peer, datagram, &mut scratch, &mut self.rng, out);
        let length = match incoming {
            Incoming::Reply(length) => length,
            Incoming::Ignore => 0,
            Incoming::Request(request) => self.request(request, out),
        };
        match self.server.last_error() {
            // A finished key exchange: not every datagram gets that far.
            Some(error @ Error::UnknownPeer) => log::warn!("{peer}: {error}"),
            Some(error) => log::debug!("datagram from {peer}: {error}"),
            None => {}
        }
        self.scratch = scratch;
        length
    }

    /// Lets capsules go on, each for a slice, and time pass. `now` and `out` are
    /// as for [`Device::handle_datagram`].
    pub fn poll(&mut self, now: u64, out: &mut [u8]) -> Step {
        self.service.vms.now = now;
        if let Some((to, length)) = self.server.poll(now, out) {
            return Step::Send(to, length);
        }
        let mut until = now.saturating_add(REST_MS);
        for _ in 0..=N {
            if let Some((to, length)) = self.send(out) {
                return Step::Send(to, length);
            }
            let worker = self.next;
            self.next = if worker < N {
                worker.saturating_add(1)
            } else {
                0
            };
            match self.turn((worker < N).then_some(worker)) {
                Turn::Idle => {}
                Turn::Waits(time) => until = until.min(time),
                Turn::Again | Turn::Over(()) => until = now,
            }
        }
        match self.send(out) {
            Some((to, length)) => Step::Send(to, length),
            None => Step::Wait(self.server.due_ms().unwrap_or(until).min(until)),
        }
    }

    /// Does what an authenticated request asks for, or has it wait.
    fn request(&mut self, request: server::Request<'_>, out: &mut [u8]) -> usize {
        let server::Request {
            peer,
            session,
            inner,
            proven_ms,
            reply,
        } = request;
        let parsed = Request::parse(inner, session, self.policy.roles(peer.0));
        let request = match parsed {
            Ok(request) => request,
            Err(refusal) => {
                let refused = Answer::whole(Response::refusal(refusal));
                return self
                    .respond(reply, &refused, out)
                    .map_or(0, |(_, length)| length);
            }
        };
        let mut asked = Asked::of(&request);
        let answer = match self.serve(&request, peer.0, proven_ms) {
            Ok(Reply::Later(later)) if self.queue.has_room(&asked.exchange) => {
                return self.wait(asked, later, reply, out);
            }
            Ok(Reply::Later(_)) => self.refused(&mut asked, &request, Refusal::Busy),
            Ok(Reply::Continue) => Answer::go_on(request.block1),
            Ok(Reply::Whole(response)) => self.answer(&asked, response),
            Err(refusal) => self.refused(&mut asked, &request, refusal),
        };
        self.respond(reply, &answer, out)
            .map_or(0, |(_, length)| length)
    }

    fn serve(
        &mut self,
        request: &Request<'_>,
        peer: usize,
        proven_ms: u64,
    ) -> Result<Reply, Refusal> {
        let later = request.block2.is_some_and(|block| block.num != 0);
        if later && let Some(response) = self.outbox.continued(&request.exchange()) {
            return Ok(Reply::Whole(response));
        }
        let operation = self.service.route(request)?;
        // A later block of what is not kept any more would do it again, for
        // an answer that may not be the same.
        if later && !operation.only_reads() {
            return Err(Refusal::BlockOutOfOrder);
        }
        let age = self.service.vms.now.saturating_sub(proven_ms);
        if age > FRESH_MS && operation.must_be_fresh(request.code, request.is_first()) {
            return Err(Refusal::Stale);
        }
        self.service.serve(operation, request, peer)
    }

    /// Has a request wait for a capsule. If that is done with it at once, the
    /// answer is in `out`; otherwise an acknowledgement.
    fn wait(&mut self, asked: Asked, later: Later, reply: server::Reply, out: &mut [u8]) -> usize {
        let waiting = Waiting {
            asked,
            later,
            reply,
        };
        let worker = waiting.worker();
        let first = self.ready.is_empty() && !self.queue.waits_for(worker);
        self.queue.push(waiting);
        // What comes of a turn is meant for this request only if there is no
        // other.
        for _ in 0..if first { PROMPT } else { 0 } {
            let turn = self.turn(worker);
            if let Some((_, length)) = self.send(out) {
                return length;
            }
            if matches!(turn, Turn::Idle | Turn::Waits(_)) {
                break;
            }
        }
        match self.queue.newest() {
            Some(waiting) if waiting.worker() == worker => {
                self.server.acknowledge(&mut waiting.reply, out)
            }
            _ => 0,
        }
    }

    /// Lets a component, or the job, go on for a slice.
    fn turn(&mut self, worker: Option<usize>) -> Turn<()> {
        let Some(vm) = worker else {
            return match self.service.step_job() {
                Turn::Idle => Turn::Idle,
                Turn::Again => Turn::Again,
                Turn::Waits(until) => Turn::Waits(until),
                Turn::Over(result) => {
                    if let Some(waiting) = self.queue.take(|later| matches!(later, Later::Job)) {
                        self.finish(waiting, result);
                    }
                    Turn::Over(())
                }
            };
        };
        self.begin(vm);
        match self.service.vms.step(vm) {
            Turn::Idle => {
                // Perhaps a start did not even begin.
                self.settled(vm);
                Turn::Idle
            }
            Turn::Again => Turn::Again,
            Turn::Waits(until) => Turn::Waits(until),
            Turn::Over(Outcome::Answered(result)) => {
                let begun = |later: &Later| matches!(later, Later::Call { vm: of, begun: true, .. } if *of == vm);
                if let Some(waiting) = self.queue.take(begun) {
                    let result = result.and_then(|answer| {
                        Response::of_capsule(Code(answer.code), &answer.message)
                    });
                    self.finish(waiting, result);
                }
                Turn::Over(())
            }
            Turn::Over(Outcome::Settled) => {
                self.settled(vm);
                Turn::Over(())
            }
        }
    }

    /// Calls the capsule of `vm` with the request that has waited longest.
    fn begin(&mut self, vm: usize) {
        let Some(waiting) = self.queue.call(vm) else {
            return;
        };
        let Later::Call {
            code,
            message,
            begun: begun @ false,
            ..
        } = &mut waiting.later
        else {
            return;
        };
        match self.service.vms.call(vm, *code, message) {
            Ok(Call::Begun) => *begun = true,
            Ok(Call::Later) => {}
            Err(refusal) => self.fail_call(vm, refusal),
        }
    }

    /// No start is going on: tells those who wait for it, and those who
    /// wait in vain.
    fn settled(&mut self, vm: usize) {
        if self.service.vms.is_starting(vm) {
            return;
        }
        let start = |later: &Later| matches!(later, Later::Start { vm: of, .. } if *of == vm);
        while let Some(waiting) = self.queue.take(start) {
            let Later::Start { activated, .. } = &waiting.later else {
                return;
            };
            let result = self.service.activated(vm, activated.as_ref());
            self.finish(waiting, result);
        }
        if !self.service.vms.is_running(vm) {
            while self.queue.call(vm).is_some() {
                self.fail_call(vm, Refusal::NoCapsule);
            }
        }
    }

    /// The oldest call for `vm` comes to nothing.
    fn fail_call(&mut self, vm: usize, refusal: Refusal) {
        let call = |later: &Later| matches!(later, Later::Call { vm: of, .. } if *of == vm);
        if let Some(waiting) = self.queue.take(call) {
            self.finish(waiting, Err(refusal));
        }
    }

    /// A request has waited long enough.
    fn finish(&mut self, waiting: Waiting, result: Result<Response, Refusal>) {
        let Waiting { asked, reply, .. } = waiting;
        let response = result.unwrap_or_else(|refusal| {
            log::info!("{}: {refusal}", asked.name);
            refusal_response(refusal)
        });
        let answer = self.answer(&asked, response);
        self.ready.push_back((reply, answer));
    }

    /// What a refused request is told, and what its author needs to do better.
    fn refused(&mut self, asked: &mut Asked, request: &Request<'_>, refusal: Refusal) -> Answer {
        log::info!("{}: {refusal}", asked.name);
        let mut response = refusal_response(refusal);
        match refusal {
            Refusal::TooLarge | Refusal::NoSpace => {
                let operation = self.service.route(request).ok();
                let limit = operation.and_then(|operation| self.service.limit(operation));
                if let Some(limit) = limit.and_then(|limit| u32::try_from(limit).ok()) {
                    response = response.uint(number::SIZE1, limit);
                }
            }
            Refusal::Stale => {
                let now = self.service.vms.now;
                let session = request.session;
                if let Ok(echo) = self.server.challenge(now, session, &mut self.rng) {
                    response = response.option(number::ECHO, &echo);
                }
            }
            _ => {}
        }
        asked.block2 = asked.block2.filter(|block| block.num == 0);
        self.answer(asked, response)
    }

    fn answer(&mut self, asked: &Asked, response: Response) -> Answer {
        let server = &self.server;
        let alive = |session| server.sessions().any(|(id, _)| id == session);
        self.outbox.answer(asked, response, alive)
    }

    /// Writes an answer that is ready into `out`.
    fn send(&mut self, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        while let Some((reply, answer)) = self.ready.pop_front() {
            if let Some(sent) = self.respond(reply, &answer, out) {
                return Some(sent);
            }
        }
        None
    }

    fn respond(
        &mut self,
        reply: server::Reply,
        answer: &Answer,
        out: &mut [u8],
    ) -> Option<(SocketAddr, usize)> {
        let now = self.service.vms.now;
        let code = answer.response.code;
        self.server
            .respond(now, reply, code, |writer| answer.write(writer), out)
            .map_err(|error| log::error!("response not sent: {error}"))
            .ok()
    }
}

/// A refusal, and when to try again.
fn refusal_response(refusal: Refusal) -> Response {
    let response = Response::refusal(refusal);
    match refusal {
        Refusal::OtherTransfer => {
            let seconds = u32::try_from(HELD_MS / 1000).unwrap_or(u32::MAX);
            response.uint(number::MAX_AGE, seconds)
        }
        Refusal::Busy | Refusal::Stopped => response.uint(number::MAX_AGE, 1),
        _ => response,
    }
}
