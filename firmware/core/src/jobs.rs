//! Capsules that run once: `POST /vm-run`.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use sealift_manifest::{Kind, MAX_HEAD, Scan, scan_head};
use sealift_oscore::coap::Code;
use sealift_storage::Error as StoreError;
use sealift_wire::{Refusal, VM_RUN};

use crate::block::{Collecting, collect, is_abandoned};
use crate::capsule::{Activity, ArtifactBytes, Ephemeral, Fault, Host, Quota};
use crate::claim::Claim;
use crate::ota::Sender;
use crate::refuse;
use crate::request::{Exchange, Request};
use crate::response::{OCTETS, Response};
use crate::service::Reply;
use crate::supervisor::Supervisor;
use crate::turns::{Turn, turn};
use crate::waiting::Later;

/// The job that runs, and the body of the one that comes.
pub(crate) struct Jobs {
    /// One body: not so that who may only use capsules gets in the way of who runs
    /// jobs.
    body: Collecting<Exchange>,
    sending: Claim,
    running: Option<Job>,
    /// What jobs may log and send, one after the other.
    quota: Quota,
    limit: usize,
}

/// An ephemeral capsule that runs, and since when.
struct Job {
    activity: Activity<Result<Vec<u8>, Fault>>,
    since: u64,
    /// Its signer may not be trusted any more.
    ended: bool,
}

impl Jobs {
    /// Whether this build of the core runs jobs.
    pub(crate) const OFFERED: bool = true;

    /// With bodies of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            body: None,
            sending: Claim::default(),
            running: None,
            quota: Quota::default(),
            limit,
        }
    }

    /// The largest body, in bytes.
    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// Whether one runs.
    pub(crate) const fn is_at_work(&self) -> bool {
        self.running.is_some()
    }

    /// Others are trusted from now on: whoever sent and signed what is here may not
    /// be among them.
    pub(crate) fn distrust(&mut self) {
        self.sending.free();
        self.body = None;
        if let Some(job) = &mut self.running {
            job.ended = true;
        }
    }

    /// Forgets a body that nobody goes on with.
    pub(crate) fn tidy(&mut self, now: u64) {
        if is_abandoned(&self.body, now) {
            self.body = None;
        }
    }

    /// Begins to run an ephemeral capsule: an envelope, and behind it the
    /// input.
    pub(crate) fn run<F: NorFlash, H: Host, const N: usize, const W: usize>(
        &mut self,
        vms: &mut Supervisor<F, H, N, W>,
        request: &Request<'_>,
        sender: Sender,
    ) -> Result<Reply, Refusal> {
        let Sender { peer, now, .. } = sender;
        let piece = request.piece()?;
        if self.sending.excludes(peer, now) || self.running.is_some() {
            return Err(Refusal::Busy);
        }
        let whole = collect(&mut self.body, request.exchange(), piece, self.limit, now);
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
        let manifest = vms.acceptance.manifest(head, VM_RUN, Kind::Ephemeral)?;
        let size = integrated.ok_or(Refusal::WrongDelivery)?;
        let (payload, input) = usize::try_from(size)
            .ok()
            .and_then(|size| rest.split_at_checked(size))
            .ok_or(Refusal::Truncated)?;
        let payload = ArtifactBytes::copy(payload)
            .ok_or_else(|| refuse::because(VM_RUN, &"no memory", Refusal::Internal))?;
        let payload = manifest.admit(payload).map_err(malformed)?;
        let host = vms.host.clone();
        let activity =
            Ephemeral::run(&manifest, payload, host, &self.quota, input).map_err(faulty)?;
        // Nothing of it has run yet. From here on no older one ever will.
        let raised = vms.store.raise_counter(manifest.sequence_number);
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
        self.running = Some(Job {
            activity,
            since: now,
            ended: false,
        });
        Ok(Reply::Later(Later::Job))
    }

    /// Lets the job go on for a slice.
    pub(crate) fn step<F, H: Host, const N: usize, const W: usize>(
        &mut self,
        vms: &mut Supervisor<F, H, N, W>,
    ) -> Turn<Result<Response, Refusal>> {
        let Some(job) = &mut self.running else {
            return Turn::Idle;
        };
        if job.ended {
            self.running = None;
            return Turn::Over(Err(Refusal::Stopped));
        }
        let Supervisor {
            host,
            now,
            time_limit,
            ..
        } = vms;
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
        self.running = None;
        Turn::Over(result.map(|output| Response::with(Code::CHANGED, OCTETS, output)))
    }
}

fn faulty(fault: Fault) -> Refusal {
    refuse::because(VM_RUN, &fault, fault.refusal())
}
