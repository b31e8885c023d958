//! The device's resources: what an authenticated request gets for an answer.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Debug;

use embedded_storage::nor_flash::NorFlash;
use sealift_engine::HOST;
use sealift_manifest::{Kind, MAX_HEAD, Scan, TRUST, scan_head};
use sealift_oscore::coap::Code;
use sealift_oscore::server::SessionId;
use sealift_storage::{Error as StoreError, Phase as StoredPhase};
use sealift_wire::{ComponentStatus, DeviceStatus, Phase, Refusal, Transfer, VM_CONTROL, VM_RUN};

use crate::block::{Collecting, collect};
use crate::capsule::{Activity, ArtifactBytes, Ephemeral, Fault, Host, Quota};
use crate::claim::Claim;
use crate::ota::{Ota, Progress, Sender};
use crate::refuse;
use crate::request::{Exchange, Request};
use crate::response::{CBOR, LINK_FORMAT, OCTETS, Response};
use crate::route::{Method, Operation};
use crate::supervisor::Supervisor;
use crate::turns::{Turn, turn};
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
    /// One body for a job: not so that who may only use capsules gets in the
    /// way of who runs jobs.
    body: Collecting<Exchange>,
    sending: Claim,
    job: Option<Job>,
    /// What jobs may log and send, one after the other.
    job_quota: Quota,
    job_limit: usize,
}

/// An ephemeral capsule that runs, and since when.
struct Job {
    activity: Activity<Result<Vec<u8>, Fault>>,
    since: u64,
    /// Its signer may not be trusted any more.
    ended: bool,
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
    F: NorFlash<Error: Debug>,
    H: Host,
{
    /// For at most `sessions` sessions at a time.
    pub(crate) fn new(vms: Supervisor<F, H, N, W>, job_limit: usize, sessions: usize) -> Self {
        Self {
            vms,
            ota: Ota::new(),
            bodies: VecDeque::new(),
            sessions,
            body: None,
            sending: Claim::default(),
            job: None,
            job_quota: Quota::default(),
            job_limit,
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
            Operation::Run => return self.run(request, sender),
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
            Progress::Accepted => Reply::Whole(self.status(vm, Code::CHANGED)),
            Progress::Trusted => {
                self.ota.free_places();
                self.sending.free();
                if let Some(job) = &mut self.job {
                    job.ended = true;
                }
                Reply::Whole(self.status(vm, Code::CHANGED))
            }
            Progress::Activated(digest) => Reply::Later(Later::Start {
                vm,
                activated: Some(digest),
            }),
        })
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
            Operation::Run => Some(self.job_limit),
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
        let whole = collect(collecting, request.exchange(), piece, CAPSULE_BODY);
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

    /// Begins to run an ephemeral capsule: an envelope, and behind it the
    /// input.
    fn run(&mut self, request: &Request<'_>, sender: Sender) -> Result<Reply, Refusal> {
        let Sender { peer, now, .. } = sender;
        let piece = request.piece()?;
        if self.sending.excludes(peer, now) || self.job.is_some() {
            return Err(Refusal::Busy);
        }
        let whole = collect(&mut self.body, request.exchange(), piece, self.job_limit);
        if self.body.is_some() {
            self.sending.hold(peer, now);
        } else {
            self.sending.free();
        }
        let Some(body) = whole? else {
            return Ok(Reply::Continue);
        };
        let malformed = |error| refuse::envelope(VM_RUN, error);
        // The head is at the start of the body and no longer than it may be.
        let start = body.get(..MAX_HEAD).unwrap_or(&body);
        let Scan::Complete {
            head_len,
            integrated,
        } = scan_head(start).map_err(malformed)?
        else {
            return Err(malformed(sealift_manifest::Error::Truncated));
        };
        let (head, rest) = body.split_at_checked(head_len).unwrap_or_default();
        let manifest = self
            .vms
            .acceptance
            .manifest(head, VM_RUN, Kind::Ephemeral)?;
        let size = integrated.ok_or(Refusal::WrongDelivery)?;
        let (payload, input) = usize::try_from(size)
            .ok()
            .and_then(|size| rest.split_at_checked(size))
            .ok_or(Refusal::Truncated)?;
        let payload = ArtifactBytes::copy(payload)
            .ok_or_else(|| refuse::because(VM_RUN, &"no memory", Refusal::Internal))?;
        let payload = manifest.admit(payload).map_err(malformed)?;
        let host = self.vms.host().clone();
        let activity =
            Ephemeral::run(&manifest, payload, host, &self.job_quota, input).map_err(faulty)?;
        // Nothing of it has run yet. From here on no older one ever will.
        let raised = self.vms.store.raise_counter(manifest.sequence_number);
        raised.map_err(|error| match error {
            StoreError::OldSequence { .. } => {
                refuse::because(VM_RUN, &Refusal::OldJob, Refusal::OldJob)
            }
            StoreError::UnknownComponent => refuse::because(
                VM_RUN,
                &"the board has no counter for jobs",
                Refusal::NotOffered,
            ),
            error => refuse::store(VM_RUN, &error),
        })?;
        self.job = Some(Job {
            activity,
            since: now,
            ended: false,
        });
        Ok(Reply::Later(Later::Job))
    }

    /// Whether an ephemeral capsule runs.
    pub(crate) fn has_job(&self) -> bool {
        self.job.is_some()
    }

    /// Lets the ephemeral capsule go on for a slice.
    pub(crate) fn step_job(&mut self) -> Turn<Result<Response, Refusal>> {
        let Some(job) = &mut self.job else {
            return Turn::Idle;
        };
        if job.ended {
            self.job = None;
            return Turn::Over(Err(Refusal::Stopped));
        }
        let Supervisor {
            host,
            now,
            time_limit,
            ..
        } = &mut self.vms;
        let result = match turn(job.activity.poll(), host, *now, job.since, *time_limit) {
            Some(Turn::Over(result)) => result.map_err(faulty),
            None => Err(refuse::because(
                VM_RUN,
                &Refusal::TookTooLong,
                Refusal::TookTooLong,
            )),
            Some(Turn::Again) => return Turn::Again,
            Some(Turn::Waits(until)) => return Turn::Waits(until),
            Some(Turn::Idle) => return Turn::Idle,
        };
        self.job = None;
        Turn::Over(result.map(|output| Response::with(Code::CHANGED, OCTETS, output)))
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
        let mut links: Vec<String> = [VM_CONTROL, VM_RUN]
            .iter()
            .map(|path| format!("</{path}>"))
            .collect();
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

fn faulty(fault: Fault) -> Refusal {
    refuse::because(VM_RUN, &fault, fault.refusal())
}
