//! The device's resources: what an authenticated request gets for an answer.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use sealift_engine::HOST;
use sealift_manifest::{MAX_HEAD, TRUST};
use sealift_oscore::coap::Code;
use sealift_oscore::server::SessionId;
use sealift_storage::Phase as StoredPhase;
use sealift_wire::{ComponentStatus, DeviceStatus, Phase, Refusal, Transfer, VM_CONTROL, VM_RUN};

use crate::block::{Collecting, collect, is_abandoned};
use crate::capsule::Host;
use crate::jobs::Jobs;
use crate::ota::{Ota, Progress, Sender};
use crate::request::{Exchange, Request};
use crate::response::{CBOR, LINK_FORMAT, Response};
use crate::route::{Method, Operation};
use crate::supervisor::Supervisor;
use crate::waiting::Later;

/// The largest request body that a capsule gets, in bytes: what fits into the
/// buffer of its interface beside the options.
const CAPSULE_BODY: usize = 1024;

/// The resources, and the bodies that are on their way to them.
pub(crate) struct Service<F, H: Host, const N: usize, const W: usize> {
    pub(crate) vms: Supervisor<F, H, N, W>,
    ota: Ota<N>,
    /// For each session a body for a capsule.
    bodies: VecDeque<(SessionId, Collecting<Exchange>)>,
    sessions: usize,
    pub(crate) jobs: Jobs,
}

/// What is sent back.
pub(crate) enum Reply {
    /// A whole response.
    Whole(Response),
    /// That more blocks are needed.
    Continue,
    /// Nothing yet.
    Later(Later),
}

impl<F, H, const N: usize, const W: usize> Service<F, H, N, W>
where
    F: NorFlash,
    H: Host,
{
    /// For at most `sessions` sessions at a time.
    pub(crate) fn new(vms: Supervisor<F, H, N, W>, job_limit: usize, sessions: usize) -> Self {
        Self {
            vms,
            ota: Ota::new(),
            bodies: VecDeque::new(),
            sessions,
            jobs: Jobs::new(job_limit),
        }
    }

    /// The operation that a request asks for, if its author may.
    pub(crate) fn route(&self, request: &Request<'_>) -> Result<Operation, Refusal> {
        let method = Method::from_code(request.code.0);
        let names = self.vms.store.layout().names();
        let operation = Operation::of(method, &request.path, names);
        let operation = operation?;
        match operation.needs() {
            Some(roles) if !request.roles.has(roles) => Err(Refusal::NotAllowed),
            _ => Ok(operation),
        }
    }

    /// Does what a request asks for.
    pub(crate) fn serve(
        &mut self,
        operation: Operation,
        request: &Request<'_>,
        peer: usize,
    ) -> Result<Reply, Refusal> {
        let sender = Sender {
            peer,
            session: request.session,
            now: self.vms.now,
        };
        if !matches!(operation, Operation::Capsule(_)) {
            request.only_known_options()?;
            request.accepts(operation.format())?;
        }
        if let Some(limit) = self.limit(operation) {
            request.announces_at_most(limit)?;
        } else {
            // They take no body; one in blocks would do it once for each.
            request.in_one_piece()?;
        }
        let vms = &mut self.vms;
        let (vm, progress) = match operation {
            Operation::Discover => return Ok(Reply::Whole(self.discover())),
            Operation::Status => return Ok(Reply::Whole(self.device_status())),
            Operation::ComponentStatus(vm) => {
                return Ok(Reply::Whole(self.status(vm, Code::CONTENT)));
            }
            Operation::Run => return self.jobs.run(vms, request, sender),
            Operation::Capsule(vm) => return self.call(vm, request),
            Operation::Confirm(vm) => {
                vms.confirm(vm)?;
                return Ok(Reply::Whole(self.status(vm, Code::CHANGED)));
            }
            Operation::Rollback(vm) => {
                vms.rollback(vm)?;
                return Ok(Reply::Later(Later::Start {
                    vm,
                    activated: None,
                }));
            }
            Operation::Remove(vm) => {
                vms.remove(vm)?;
                return Ok(Reply::Whole(self.status(vm, Code::DELETED)));
            }
            Operation::Envelope(vm) => (vm, self.ota.envelope(vms, sender, vm, request.piece()?)?),
            Operation::Payload(vm) => (vm, self.ota.payload(vms, sender, vm, request.piece()?)?),
        };
        Ok(match progress {
            Progress::Continue => Reply::Continue,
            Progress::AlreadyActive => Reply::Whole(Response::new(Code::VALID)),
            Progress::Accepted | Progress::Trusted => Reply::Whole(self.status(vm, Code::CHANGED)),
            Progress::Activated(digest) => Reply::Later(Later::Start {
                vm,
                activated: Some(digest),
            }),
        })
    }

    /// Others are known from now on, and counted anew.
    pub(crate) fn renew_peers(&mut self) {
        self.ota.free_places();
        self.jobs.distrust();
    }

    /// Forgets the bodies that nobody goes on with.
    pub(crate) fn tidy(&mut self) {
        let now = self.vms.now;
        self.bodies.retain(|(_, body)| !is_abandoned(body, now));
        self.jobs.tidy(now);
    }

    /// The largest request body that is taken, in bytes; `None` where none is.
    pub(crate) fn limit(&self, operation: Operation) -> Option<usize> {
        let slot = |vm| {
            let capacity = self.vms.store.payload_capacity(vm);
            usize::try_from(capacity).unwrap_or(usize::MAX)
        };
        match operation {
            Operation::Envelope(vm) => Some(slot(vm).saturating_add(MAX_HEAD)),
            Operation::Payload(vm) => Some(slot(vm)),
            Operation::Run => Some(self.jobs.limit()),
            Operation::Capsule(_) => Some(CAPSULE_BODY),
            _ => None,
        }
    }

    /// Hands a request to a capsule, once its body is whole.
    fn call(&mut self, vm: usize, request: &Request<'_>) -> Result<Reply, Refusal> {
        let piece = request.piece()?;
        let session = request.session;
        let place = match self.bodies.iter().position(|(of, _)| *of == session) {
            Some(place) => place,
            None => {
                if self.bodies.len() >= self.sessions {
                    self.bodies.pop_front();
                }
                self.bodies.push_back((session, None));
                self.bodies.len().saturating_sub(1)
            }
        };
        let (_, collecting) = self.bodies.get_mut(place).ok_or(Refusal::Internal)?;
        let now = self.vms.now;
        let whole = collect(collecting, request.exchange(), piece, CAPSULE_BODY, now);
        if collecting.is_none() {
            self.bodies.remove(place);
        }
        let Some(body) = whole? else {
            return Ok(Reply::Continue);
        };
        Ok(Reply::Later(Later::Call {
            vm,
            code: request.code.0,
            message: request.capsule_message(&body)?,
            begun: false,
        }))
    }

    /// What came of an activation or a roll back, once the capsule was started.
    pub(crate) fn activated(
        &self,
        vm: usize,
        digest: Option<&[u8; 32]>,
    ) -> Result<Response, Refusal> {
        if let Some(digest) = digest {
            self.vms.activated(vm, digest)?;
        }
        Ok(self.status(vm, Code::CHANGED))
    }

    /// `/.well-known/core` (RFC 6690).
    fn discover(&self) -> Response {
        let mut links = Vec::from([format!("</{VM_CONTROL}>")]);
        if Jobs::OFFERED {
            links.push(format!("</{VM_RUN}>"));
        }
        if self.vms.trust_number().is_some() {
            links.push(format!("</{VM_CONTROL}/{TRUST}>"));
        }
        for (vm, name) in self.vms.store.layout().names().iter().enumerate() {
            links.push(format!("</{VM_CONTROL}/{name}>"));
            let resources = self.vms.resources(vm).iter();
            links.extend(resources.map(|path| format!("</{name}/{path}>")));
        }
        Response::with(Code::CONTENT, LINK_FORMAT, links.join(",").into_bytes())
    }

    fn device_status(&self) -> Response {
        let status = DeviceStatus {
            profile: HOST.profile().to_string(),
            vendor_id: self.vms.acceptance.vendor_id,
            class_id: self.vms.acceptance.class_id,
            components: (0..N).map(|vm| self.component_status(vm)).collect(),
            uptime: Some(self.vms.now / 1000),
            trust: self.vms.trust_number(),
        };
        Response::with(Code::CONTENT, CBOR, status.to_cbor())
    }

    fn status(&self, vm: usize, code: Code) -> Response {
        Response::with(code, CBOR, self.component_status(vm).to_cbor())
    }

    fn component_status(&self, vm: usize) -> ComponentStatus {
        let stored = self.vms.store.status(vm);
        let active = stored.and_then(|status| status.active);
        let usage = self.vms.usage(vm);
        let last_fault = self.vms.last_fault(vm);
        let tries_left = active.and_then(|active| match active.phase {
            StoredPhase::Trial { tries_left } => Some(tries_left),
            StoredPhase::Confirmed => None,
        });
        ComponentStatus {
            name: self.vms.name(vm).to_string(),
            phase: match active.map(|active| active.phase) {
                None => Phase::Empty,
                Some(StoredPhase::Trial { .. }) => Phase::Trial,
                Some(StoredPhase::Confirmed) => Phase::Confirmed,
            },
            slot: active.map(|active| active.slot as u8),
            sequence: active.map(|active| active.sequence),
            highest: stored.map_or(0, |status| status.highest),
            floor: stored.map_or(0, |status| status.floor),
            previous: stored
                .and_then(|status| status.previous)
                .map(|previous| previous.sequence),
            tries_left,
            transfer: stored
                .and_then(|status| status.transfer)
                .map(|transfer| Transfer {
                    sequence: transfer.sequence,
                    received: transfer.received,
                    size: transfer.size,
                    digest: transfer.digest,
                }),
            running: match vm == N {
                true => self.vms.has_trust(),
                false => self.vms.is_running(vm),
            },
            last_fault: last_fault.map(|(refusal, _)| refusal.number()),
            fuel_last: usage.map(|usage| usage.fuel_last),
            memory: usage.map(|usage| usage.memory),
            fuel_max: usage.map(|usage| usage.fuel_max),
            memory_max: usage.map(|usage| usage.memory_max),
            starts: Some(self.vms.starts(vm)),
            uptime: self.vms.uptime(vm).map(|milliseconds| milliseconds / 1000),
            last_cause: last_fault.map(|(_, cause)| cause.clone()),
        }
    }
}
