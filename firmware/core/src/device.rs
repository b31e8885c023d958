//! The device: datagrams in, datagrams out.

use alloc::vec::Vec;
use core::fmt::Debug;
use core::net::SocketAddr;

use embedded_storage::nor_flash::NorFlash;
use rand_core::CryptoRngCore;
use sealift_oscore::coap::{BlockOption, Code};
use sealift_oscore::server::{Incoming, Server, SessionId};
use sealift_oscore::{Credential, CredentialError, Identity, MAX_DATAGRAM};
use sealift_storage::{Error as StoreError, Layout, Store};
use sealift_wire::Refusal;

use crate::acceptance::Acceptance;
use crate::block;
use crate::capsule::Host;
use crate::policy::Policy;
use crate::request::Request;
use crate::response::Response;
use crate::route::Operation;
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
    /// The latest response that did not fit into one message.
    outgoing: Option<Outgoing>,
}

/// A response that is fetched block by block (RFC 7959).
#[derive(Debug)]
struct Outgoing {
    session: SessionId,
    code: Code,
    path: Vec<alloc::string::String>,
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
            outgoing: None,
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
                    request.reply,
                    answer.response.code,
                    |writer| {
                        answer
                            .response
                            .write(writer, answer.block1, answer.block2, answer.part())
                    },
                    out,
                );
                written.unwrap_or_else(|error| {
                    log::error!("response not sent: {error}");
                    0
                })
            }
        };
        if let Some(error) = self.server.last_error() {
            log::debug!("datagram from {peer}: {error}");
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
            Ok(answer) => answer,
            Err(refusal) => {
                log::info!("{} /{}: {refusal}", request.code, request.path.join("/"));
                Answer {
                    // A refused block says which one it was (RFC 7959, 2.9.2).
                    block1: request.block1,
                    ..Answer::whole(Response::refusal(refusal))
                }
            }
        }
    }

    fn respond(&mut self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let operation = self.service.route(request)?;
        if request.block2.is_some_and(|block| block.num != 0)
            && let Some(response) = self.continued(request)
        {
            return cut(response, request.block2, request.block1);
        }
        // A later block of what is not kept any more would run a capsule
        // again, for an answer that may not be the same.
        if matches!(operation, Operation::Capsule(_) | Operation::Run)
            && request.block2.is_some_and(|block| block.num != 0)
        {
            return Err(Refusal::BlockOutOfOrder);
        }
        let response = match self.service.serve(operation, request)? {
            Reply::Continue => {
                return Ok(Answer {
                    block1: request.block1,
                    ..Answer::whole(Response::new(Code::CONTINUE))
                });
            }
            Reply::Whole(response) => response,
        };
        let answer = cut(response, request.block2, request.block1)?;
        if answer.block2.is_some() {
            self.outgoing = Some(Outgoing {
                session: request.session,
                code: request.code,
                path: request.path.iter().map(|s| (*s).into()).collect(),
                response: answer.response.clone(),
            });
        }
        Ok(answer)
    }

    /// The response of which this request asks for a later block.
    fn continued(&self, request: &Request<'_>) -> Option<Response> {
        let outgoing = self.outgoing.as_ref()?;
        let same = outgoing.session == request.session
            && outgoing.code == request.code
            && outgoing.path == request.path;
        same.then(|| outgoing.response.clone())
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

/// Cuts the block that was asked for out of a response.
fn cut(
    response: Response,
    asked: Option<BlockOption>,
    block1: Option<BlockOption>,
) -> Result<Answer, Refusal> {
    let (block2, range) = block::slice(response.payload.len(), asked)?;
    Ok(Answer {
        response,
        block1,
        block2,
        range,
    })
}
