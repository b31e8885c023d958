//! Capsules that run once.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use sealift_manifest::{Kind, Manifest, Payload, Verified};
use wasmtime::component::TypedFunc;

use super::activity::Activity;
use super::desk::HostDesk;
use super::fault::Fault;
use super::host::Host;
use super::imports::clean;
use super::runtime::{Instance, name};
use super::{ArtifactBytes, MAX_OUTPUT};

const JOB: &str = "sealift:capsule/job@0.1.0";
const RUN: &str = "run";

/// What an ephemeral capsule exports.
pub(super) const EXPORTS: [(&str, &str); 1] = [(JOB, RUN)];

type Run = TypedFunc<(Vec<u8>,), (Result<Vec<u8>, String>,)>;

/// An ephemeral capsule; nothing of it is there before or after the run.
#[derive(Debug)]
pub struct Ephemeral;

impl Ephemeral {
    /// Loads a capsule and runs it to completion, all on the fuel of one call.
    /// Output that is longer than [`MAX_OUTPUT`] is not taken over: the run
    /// ends with [`Fault::Trapped`].
    ///
    /// # Errors
    ///
    /// At once, what is wrong with the payload. From the activity, what the
    /// capsule did instead; or, as [`Fault::Job`], the error that it reported.
    pub fn run<H: Host>(
        manifest: &Verified<Manifest<'_>>,
        payload: Verified<Payload<ArtifactBytes>>,
        host: H,
        input: &[u8],
    ) -> Result<Activity<Result<Vec<u8>, Fault>>, Fault> {
        let (mut instance, imported) =
            Instance::new(manifest, Kind::Ephemeral, payload, MAX_OUTPUT)?;
        let desk = Box::new(HostDesk::new(host, name(manifest)));
        let input = input.to_vec();
        Ok(Activity::new(
            instance.hatch(),
            desk,
            async move {
                instance.instantiate(imported).await?;
                job(&mut instance, input).await
            },
            |output, mut desk| {
                desk.end();
                output
            },
        ))
    }
}

async fn job(instance: &mut Instance, input: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let running = instance.running();
    let run: Run = running.function(JOB, RUN).ok_or(Fault::NotACapsule(RUN))?;
    let result = run.call_async(running.context(), (input,)).await;
    match instance.end(result)? {
        (Ok(output),) => Ok(output),
        (Err(message),) => Err(Fault::Job(clean(&message))),
    }
}
