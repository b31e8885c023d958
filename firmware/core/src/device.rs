//! The device: datagrams in, datagrams out.

use alloc::vec::Vec;
use core::fmt::Debug;
use core::net::SocketAddr;

use embedded_storage::nor_flash::NorFlash;
use rand_core::CryptoRngCore;
use sealift_oscore::coap::{BlockOption, Code};
use sealift_oscore::server::{Incoming, Server, SessionId};
use sealift_oscore::{Credential, CredentialError, Error, Identity, MAX_DATAGRAM};
use sealift_storage::{Error as StoreError, Layout, Store};
use sealift_wire::Refusal;

use crate::acceptance::Acceptance;
use crate::block;
use crate::capsule::Host;
use crate::policy::Policy;
use crate::request::{Exchange, Request};
use crate::response::Response;
use crate::service::{Reply, Service};
use crate::supervisor::Supervisor;

/// Key exchanges that may be half open at a time.
const PENDING: usize = 4;
/// Credentials that a device can know.
const PEERS: usize = 8;

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
}

/// A whole device, without its I/O.
///
/// A board owns one, hands it every datagram that arrives, sends what it
/// gets back, and calls [`Device::tick`] now and then. `F` is the flash, `R`
/// the random source, `H` what capsules may use of the board. `N` is the
/// number of components, `W` the flash's write word in bytes and `SESSIONS`
/// the number of peers with a security context.
pub struct Device<F, R, H: Host, const N: usize, const W: usize, const SESSIONS: usize> {
    service: Service<F, H, N, W>,
    server: Server<SESSIONS, PENDING, PEERS>,
    policy: Policy,
    rng: R,
    scratch: Vec<u8>,
    /// For each session, the latest response that did not fit into one
    /// message.
    outgoing: Vec<Outgoing>,
}

/// A response that is fetched block by block (RFC 7959).
#[derive(Debug)]
struct Outgoing {
    exchange: Exchange,
    response: Response,
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
    /// starts it.
    ///
    /// # Errors
    ///
    /// [`BootError`]. What is wrong with a single capsule is no error: it is
    /// logged, and the device starts without it.
    pub fn boot(config: Config<N>, flash: F, rng: R, host: H) -> Result<Self, BootError<F::Error>> {
        let store = Store::mount(flash, config.layout).map_err(BootError::Store)?;
        let peers: Vec<Credential> = config.policy.credentials().cloned().collect();
        let server = Server::new(config.identity, &peers).map_err(BootError::Peers)?;
        let vms = Supervisor::boot(store, config.acceptance, host);
        Ok(Self {
            service: Service::new(vms, config.job_limit),
            server,
            policy: config.policy,
            rng,
            scratch: alloc::vec![0; MAX_DATAGRAM],
            outgoing: Vec::new(),
        })
    }

    /// Takes a datagram that arrived from `peer` at `now` (milliseconds of
    /// any clock that does not go back). Returns the length of the datagram
    /// in `out` that is to be sent back, 0 if there is none. `out` should
    /// have [`MAX_DATAGRAM`] bytes.
    pub fn handle_datagram(
        &mut self,
        now: u64,
        peer: SocketAddr,
        datagram: &[u8],
        out: &mut [u8],
    ) -> usize {
        // Lent to the request, so that everything else can change meanwhile.
        let mut scratch = core::mem::take(&mut self.scratch);
        let incoming = self
            .server
            .receive(now, peer, datagram, &mut scratch, &mut self.rng, out);
        let length = match incoming {
            Incoming::Reply(length) => length,
            Incoming::Ignore => 0,
            Incoming::Request(request) => {
                let answer = self.answer(request.peer.0, request.session, request.inner);
                let written = self.server.respond(
                    now,
                    request.reply,
                    answer.response.code,
                    |writer| {
                        answer
                            .response
                            .write(writer, answer.block1, answer.block2, answer.part())
                    },
                    out,
                );
                written.map_or_else(
                    |error| {
                        log::error!("response not sent: {error}");
                        0
                    },
                    |(_, length)| length,
                )
            }
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

    /// Lets time pass. To be called at least once a minute.
    pub fn tick(&mut self, now: u64) {
        // Nothing here expires by itself yet: contexts and half-open
        // exchanges make room when the next one needs it.
        let _ = now;
    }

    fn answer(
        &mut self,
        peer: usize,
        session: SessionId,
        inner: sealift_oscore::coap::Inner<'_>,
    ) -> Answer {
        let roles = self.policy.roles(peer);
        let request = match Request::parse(inner, session, roles) {
            Ok(request) => request,
            Err(refusal) => return Answer::whole(Response::refusal(refusal)),
        };
        match self.respond(&request) {
            Ok(Reply::Continue) => Answer {
                block1: request.block1,
                ..Answer::whole(Response::new(Code::CONTINUE))
            },
            Ok(Reply::Whole(response)) => self.send(&request, request.block2, response),
            Err(refusal) => {
                // The path is the peer's: nothing of it may pass for a line.
                let path = request.path.join("/");
                log::info!("{} {path:?}: {refusal}", request.code);
                let asked = request.block2.filter(|block| block.num == 0);
                self.send(&request, asked, Response::refusal(refusal))
            }
        }
    }

    fn respond(&mut self, request: &Request<'_>) -> Result<Reply, Refusal> {
        let later = request.block2.is_some_and(|block| block.num != 0);
        if later && let Some(response) = self.continued(request) {
            return Ok(Reply::Whole(response));
        }
        let operation = self.service.route(request)?;
        // A later block of what is not kept any more would do it again, for
        // an answer that may not be the same.
        if later && !operation.only_reads() {
            return Err(Refusal::BlockOutOfOrder);
        }
        self.service.serve(operation, request)
    }

    /// The response to this session of which it asks for a later block.
    fn continued(&self, request: &Request<'_>) -> Option<Response> {
        let exchange = request.exchange();
        let mut kept = self.outgoing.iter();
        let found = kept.find(|outgoing| outgoing.exchange == exchange)?;
        Some(found.response.clone())
    }

    /// Cuts the block that was asked for out of a response, and keeps the
    /// response if there is more of it.
    fn send(
        &mut self,
        request: &Request<'_>,
        asked: Option<BlockOption>,
        response: Response,
    ) -> Answer {
        let (block2, range) = match block::slice(response.payload.len(), asked) {
            Ok(cut) => cut,
            Err(refusal) => return Answer::whole(Response::refusal(refusal)),
        };
        if block2.is_some_and(|block| block.num == 0) {
            let session = request.session;
            let server = &self.server;
            // One for each session that there is, so there are never more.
            self.outgoing.retain(|kept| {
                let of = kept.exchange.session;
                of != session && server.sessions().any(|(id, _)| id == of)
            });
            self.outgoing.push(Outgoing {
                exchange: request.exchange(),
                response: response.clone(),
            });
        }
        Answer {
            response,
            // The last word on the body, whatever the request said would
            // follow (RFC 7959, 2.3).
            block1: request.block1.map(|block| BlockOption {
                more: false,
                ..block
            }),
            block2,
            range,
        }
    }
}

/// A response and the part of it that goes into one message.
struct Answer {
    response: Response,
    block1: Option<BlockOption>,
    block2: Option<BlockOption>,
    range: core::ops::Range<usize>,
}

impl Answer {
    fn whole(response: Response) -> Self {
        Self {
            range: 0..response.payload.len(),
            response,
            block1: None,
            block2: None,
        }
    }

    fn part(&self) -> &[u8] {
        self.response
            .payload
            .get(self.range.clone())
            .unwrap_or_default()
    }
}
