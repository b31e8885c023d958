//! The device's resources: what an authenticated request gets for an answer.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Debug;

use embedded_storage::nor_flash::NorFlash;
use sealift_engine::HOST;
use sealift_manifest::{Kind, Scan, scan_head};
use sealift_oscore::coap::Code;
use sealift_storage::Phase as StoredPhase;
use sealift_wire::{ComponentStatus, DeviceStatus, Phase, Refusal, Transfer, VM_CONTROL, VM_RUN};

use crate::block::{Collecting, collect};
use crate::capsule::{Activity, ArtifactBytes, Ephemeral, Host};
use crate::ota::{Ota, Progress};
use crate::refuse;
use crate::request::{Exchange, Request};
use crate::response::{CBOR, LINK_FORMAT, OCTETS, Response};
use crate::route::{Method, Operation};
use crate::supervisor::Supervisor;

/// The largest request body that a capsule gets, in bytes: what fits into the
/// buffer of its interface beside the options.
const CAPSULE_BODY: usize = 1024;

/// The resources, and the bodies that are on their way to them.
pub(crate) struct Service<F, H: Host, const N: usize, const W: usize> {
    vms: Supervisor<F, H, N, W>,
    ota: Ota,
    /// A body for a capsule, and one for a job: so that who may only use
    /// capsules does not get in the way of who runs jobs.
    body: Collecting<Exchange>,
    job: Collecting<Exchange>,
    job_limit: usize,
}

/// What is sent back: a whole response, or that more blocks are needed.
pub(crate) enum Reply {
    Whole(Response),
    Continue,
}

impl<F, H, const N: usize, const W: usize> Service<F, H, N, W>
where
    F: NorFlash<Error: Debug>,
    H: Host,
{
    pub(crate) fn new(vms: Supervisor<F, H, N, W>, job_limit: usize) -> Self {
        Self {
            vms,
            ota: Ota::default(),
            body: None,
            job: None,
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
    ) -> Result<Reply, Refusal> {
        if !matches!(operation, Operation::Capsule(_)) {
            request.only_known_options()?;
        }
        if matches!(
            operation,
            Operation::Confirm(_) | Operation::Rollback(_) | Operation::Remove(_)
        ) {
            // They take no body; one in blocks would do it once for each.
            request.in_one_piece()?;
        }
        let vms = &mut self.vms;
        let progress = match operation {
            Operation::Discover => return Ok(Reply::Whole(self.discover())),
            Operation::Status => return Ok(Reply::Whole(self.device_status())),
            Operation::ComponentStatus(vm) => {
                return Ok(Reply::Whole(self.status(vm, Code::CONTENT)));
            }
            Operation::Run => return self.run(request),
            Operation::Capsule(vm) => return self.call(vm, request),
            Operation::Envelope(vm) => {
                self.ota
                    .envelope(vms, request.session, vm, request.piece()?)?
            }
            Operation::Payload(vm) => {
                self.ota
                    .payload(vms, request.session, vm, request.piece()?)?
            }
            Operation::Confirm(vm) => {
                vms.confirm(vm)?;
                Progress::Activated
            }
            Operation::Rollback(vm) => {
                vms.rollback(vm)?;
                Progress::Activated
            }
            Operation::Remove(vm) => {
                vms.remove(vm)?;
                return Ok(Reply::Whole(self.status(vm, Code::DELETED)));
            }
        };
        let (Operation::Envelope(vm)
        | Operation::Payload(vm)
        | Operation::Confirm(vm)
        | Operation::Rollback(vm)) = operation
        else {
            return Err(Refusal::Internal);
        };
        match progress {
            Progress::Continue => Ok(Reply::Continue),
            Progress::AlreadyActive => Ok(Reply::Whole(Response::new(Code::VALID))),
            Progress::Accepted | Progress::Activated => {
                Ok(Reply::Whole(self.status(vm, Code::CHANGED)))
            }
        }
    }

    /// Hands a request to a capsule, once its body is whole.
    fn call(&mut self, vm: usize, request: &Request<'_>) -> Result<Reply, Refusal> {
        let piece = request.piece()?;
        let Some(body) = collect(&mut self.body, request.exchange(), piece, CAPSULE_BODY)? else {
            return Ok(Reply::Continue);
        };
        let message = request.capsule_message(&body)?;
        let answer = self.vms.call(vm, request.code.0, &message)?;
        Response::of_capsule(Code(answer.code), &answer.message).map(Reply::Whole)
    }

    /// Runs an ephemeral capsule: an envelope, and behind it the input.
    fn run(&mut self, request: &Request<'_>) -> Result<Reply, Refusal> {
        let piece = request.piece()?;
        let Some(body) = collect(&mut self.job, request.exchange(), piece, self.job_limit)? else {
            return Ok(Reply::Continue);
        };
        let malformed = |error| refuse::envelope(VM_RUN, error);
        // The head is at the start of the body and no longer than it may be.
        let start = body.get(..sealift_manifest::MAX_HEAD).unwrap_or(&body);
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
        let output = Ephemeral::run(&manifest, payload, host, input)
            .and_then(Activity::finish)
            .map_err(|fault| refuse::because(VM_RUN, &fault, fault.refusal()))?;
        Ok(Reply::Whole(Response::with(Code::CHANGED, OCTETS, output)))
    }

    /// `/.well-known/core` (RFC 6690).
    fn discover(&self) -> Response {
        let mut links: Vec<String> = [VM_CONTROL, VM_RUN]
            .iter()
            .map(|path| format!("</{path}>"))
            .collect();
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
        };
        Response::with(Code::CONTENT, CBOR, status.to_cbor())
    }

    fn status(&self, vm: usize, code: Code) -> Response {
        Response::with(code, CBOR, self.component_status(vm).to_cbor())
    }

    fn component_status(&self, vm: usize) -> ComponentStatus {
        let stored = self.vms.store.status(vm);
        let active = stored.and_then(|status| status.active);
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
            running: self.vms.is_running(vm),
            last_fault: self.vms.last_fault(vm).map(Refusal::number),
            fuel_last: self.vms.fuel_last(vm),
            memory: self.vms.memory(vm),
        }
    }
}
