//! The device: datagrams in, datagrams out, and time for capsules between them.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use embedded_storage::nor_flash::{NorFlash, NorFlashError};
use rand_core::CryptoRngCore;
use sealift_oscore::server::{self, Incoming, Server};
use sealift_oscore::{Credential, CredentialError, Error, Identity, MAX_DATAGRAM};
use sealift_provision::MAX_PEERS;
use sealift_storage::{Error as StoreError, Layout, Store};

use crate::acceptance::Acceptance;
use crate::capsule::{Host, Mapping};
use crate::policy::Policy;
use crate::sending::{Answer, Outbox};
use crate::service::Service;
use crate::supervisor::Supervisor;
use crate::turns::Turn;
use crate::waiting::Queue;

/// Key exchanges that may be half open at a time.
const PENDING: usize = 4;
/// Credentials that a device can know.
const PEERS: usize = MAX_PEERS;
/// The longest time that [`Device::poll`] asks to be left alone for.
const REST_MS: u64 = 60_000;

/// What makes a device this device.
#[derive(Debug)]
pub struct Config<const N: usize> {
    /// Which signed manifests it takes.
    pub acceptance: Acceptance,
    /// Which peers it knows, and what they may do, as long as no record of the
    /// root keys says otherwise.
    pub policy: Policy,
    /// Its own key and credential.
    pub identity: Identity,
    /// Where on the flash its components are.
    pub layout: Layout<N>,
    /// Where the flash can be read as memory, if it can: payloads then run in
    /// place, and cost no RAM.
    pub mapping: Option<Mapping>,
    /// Whether a capsule goes on while the one that is to replace it is checked.
    /// Otherwise it is stopped for that, which takes some 15 kB of RAM less, and
    /// started anew should the other not be what it was signed for.
    pub beside: bool,
    /// The largest body of a request to run an ephemeral capsule, in bytes:
    /// envelope and input are in RAM, and twice while it is started.
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
    pub(crate) service: Service<F, H, N, W>,
    /// On the heap: it is most of what a device holds, and a device is moved.
    pub(crate) server: Box<Server<SESSIONS, PENDING, PEERS>>,
    pub(crate) rng: R,
    scratch: Vec<u8>,
    pub(crate) outbox: Outbox,
    pub(crate) queue: Queue,
    /// Answers that are to be sent.
    pub(crate) ready: VecDeque<(server::Reply, Answer)>,
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

impl<E: NorFlashError> core::fmt::Display for BootError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Store(error) => write!(f, "the store cannot be used: {error}"),
            Self::Peers(error) => write!(f, "{error}"),
        }
    }
}

impl<E: NorFlashError> core::error::Error for BootError<E> {}

impl<F, R, H, const N: usize, const W: usize, const SESSIONS: usize> Device<F, R, H, N, W, SESSIONS>
where
    F: NorFlash,
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
        let vms = Supervisor::boot(
            store,
            config.mapping,
            config.beside,
            config.acceptance,
            config.policy,
            host,
            config.time_limit,
        );
        let peers: Vec<Credential> = vms.policy.credentials().cloned().collect();
        let server =
            server(config.identity, &peers, config.session_idle).map_err(BootError::Peers)?;
        Ok(Self {
            service: Service::new(vms, config.job_limit, SESSIONS),
            server,
            rng,
            scratch: alloc::vec![0; MAX_DATAGRAM],
            outbox: Outbox::default(),
            queue: Queue::new(SESSIONS.saturating_mul(2).max(N), N),
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
        // By a turn in which the trust record could be read at last: nobody's request
        // may meet a policy in which its sender has another's place.
        if core::mem::take(&mut self.service.vms.peers_changed) {
            self.renew_peers();
        }
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

    /// Adds a session with the peer of this index without a key exchange: for
    /// fuzzing and measuring.
    #[cfg(feature = "preset")]
    pub fn preset(
        &mut self,
        now: u64,
        peer: usize,
        context: sealift_oscore::context::SecurityContext,
    ) -> server::SessionId {
        let peer = server::PeerIndex(peer);
        self.server.preset(now, peer, context)
    }

    /// Lets capsules go on and time pass: a round, in which each of those that
    /// are at work has a turn, if it was not cut short by something to send.
    /// What a turn is, and what nobody can keep the others from, is in
    /// `turns`. `now` and `out` are as for [`Device::handle_datagram`].
    pub fn poll(&mut self, now: u64, out: &mut [u8]) -> Step {
        self.service.vms.now = now;
        self.service.tidy();
        self.service.vms.retry_trust();
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
}

// Not inlined, so that the stack that the server is made on is free again when
// the device starts.
#[inline(never)]
fn server<const SESSIONS: usize>(
    identity: Identity,
    peers: &[Credential],
    idle_ms: u64,
) -> Result<Box<Server<SESSIONS, PENDING, PEERS>>, CredentialError> {
    let mut server = Box::new(Server::new(identity, peers)?);
    server.set_idle(idle_ms);
    Ok(server)
}
