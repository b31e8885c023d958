//! Capsules at work, and the requests that wait for them.

use embedded_storage::nor_flash::NorFlash;
use rand_core::CryptoRngCore;
use sealift_oscore::coap::Code;
use sealift_wire::Refusal;

use crate::asking::refusal_response;
use crate::capsule::Host;
use crate::device::Device;
use crate::response::Response;
use crate::supervisor::Call;
use crate::turns::{Outcome, Turn};
use crate::waiting::{Later, Waiting};

impl<F, R, H, const N: usize, const W: usize, const SESSIONS: usize> Device<F, R, H, N, W, SESSIONS>
where
    F: NorFlash,
    R: CryptoRngCore,
    H: Host,
{
    /// Lets a component, or the job, go on for a slice.
    pub(crate) fn turn(&mut self, worker: Option<usize>) -> Turn<()> {
        let Some(vm) = worker else {
            return match self.service.jobs.step(&mut self.service.vms) {
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

    /// Whether a capsule other than that of `worker` has something to do.
    pub(crate) fn is_another_at_work(&self, worker: Option<usize>) -> bool {
        let components = (0..N).filter(|vm| worker != Some(*vm));
        let job = worker.is_some() && self.service.jobs.is_at_work();
        job || components
            .into_iter()
            .any(|vm| self.service.vms.is_at_work(vm))
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
}
