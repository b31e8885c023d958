//! Capsules that run once.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use sealift_manifest::{Kind, Manifest, Payload, Verified};
use wasmtime::component::TypedFunc;

use super::activity::Activity;
use super::desk::HostDesk;
use super::fault::Fault;
use super::functions::{self, Call, Functions};
use super::host::Host;
use super::imports::clean;
use super::load::{Held, Loaded};
use super::quota::Quota;
use super::runtime::{Instance, name};
use super::{ArtifactBytes, MAX_OUTPUT};

const JOB: &str = "sealift:capsule/job@0.1.0";
const RUN: &str = "run";

/// Whether an artifact exports what an ephemeral capsule must.
pub(super) fn exports<P: Held>(loaded: &Loaded<P>) -> Result<(), Fault> {
    if loaded.exports(JOB, RUN) || Functions::of(loaded)?.is_some() {
        return Ok(());
    }
    Err(Fault::NotACapsule(RUN))
}

/// What is to be done with an input.
enum Task {
    /// It goes to the capsule as it is.
    Job(Vec<u8>),
    /// It says which functions to call.
    Calls(Vec<Call>),
}

type Run = TypedFunc<(Vec<u8>,), (Result<Vec<u8>, String>,)>;

/// An ephemeral capsule; nothing of it is there before or after the run.
#[derive(Debug)]
pub struct Ephemeral;

impl Ephemeral {
    /// Loads a capsule and runs it to completion, all on the fuel of one call.
    /// Output that is longer than [`MAX_OUTPUT`] is not taken over.
    ///
    /// A capsule that exports the job interface gets the input as it is. For
    /// one that exports plain functions it is text, one call a line: `NAME` or
    /// `NAME NUMBER`; what they return is the output, line by line. Empty
    /// input calls the only function there is.
    ///
    /// # Errors
    ///
    /// At once, what is wrong with the payload, or [`Fault::BadInput`]. From
    /// the activity, what the capsule did instead; or, as [`Fault::Job`], the
    /// error that it reported.
    pub fn run<H: Host>(
        manifest: &Verified<Manifest<'_>>,
        payload: Verified<Payload<ArtifactBytes>>,
        host: H,
        quota: &Quota,
        input: &[u8],
    ) -> Result<Activity<Result<Vec<u8>, Fault>>, Fault> {
        let (mut instance, imported) =
            Instance::new(manifest, Kind::Ephemeral, payload, MAX_OUTPUT)?;
        let desk = Box::new(HostDesk::new(host, name(manifest), quota.clone()));
        let task = match Functions::of(instance.loaded())? {
            Some(functions) if !instance.loaded().exports(JOB, RUN) => {
                Task::Calls(functions.calls(input)?)
            }
            _ => Task::Job(input.to_vec()),
        };
        Ok(Activity::new(
            instance.hatch(),
            desk,
            async move {
                instance.instantiate(imported).await?;
                match task {
                    Task::Job(input) => job(&mut instance, input).await,
                    Task::Calls(calls) => functions::run(&mut instance, calls).await,
                }
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
