//! In place of `jobs` where none are run: without the feature `jobs`.

use sealift_wire::Refusal;

use crate::capsule::Host;
use crate::ota::Sender;
use crate::request::Request;
use crate::response::Response;
use crate::service::Reply;
use crate::supervisor::Supervisor;
use crate::turns::Turn;

/// No jobs.
pub(crate) struct Jobs;

impl Jobs {
    pub(crate) const OFFERED: bool = false;

    pub(crate) const fn new(_limit: usize) -> Self {
        Self
    }

    pub(crate) const fn limit(&self) -> usize {
        0
    }

    pub(crate) const fn is_at_work(&self) -> bool {
        false
    }

    pub(crate) const fn distrust(&mut self) {}

    pub(crate) const fn tidy(&mut self, _now: u64) {}

    /// There is no such resource.
    pub(crate) fn run<F, H: Host, const N: usize, const W: usize>(
        &mut self,
        _vms: &mut Supervisor<F, H, N, W>,
        _request: &Request<'_>,
        _sender: Sender,
    ) -> Result<Reply, Refusal> {
        Err(Refusal::NotFound)
    }

    pub(crate) const fn step<F, H: Host, const N: usize, const W: usize>(
        &mut self,
        _vms: &mut Supervisor<F, H, N, W>,
    ) -> Turn<Result<Response, Refusal>> {
        Turn::Idle
    }
}
