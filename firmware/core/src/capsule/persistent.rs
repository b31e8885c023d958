//! Capsules that stay and answer requests.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use sealift_manifest::{Grants, Kind, Manifest, Payload, Verified};
use wasmtime::component::TypedFunc;

use super::abi::CoapErr;
use super::activity::Activity;
use super::answer::Answer;
use super::desk::HostDesk;
use super::fault::Fault;
use super::host::Host;
use super::load::{Held, Loaded};
use super::quota::Quota;
use super::runtime::{Instance, Usage, in_init, name};
use super::{ArtifactBytes, MAX_MESSAGE, MAX_RESOURCES, MAX_TRANSFER};

const GUEST: &str = "ariel:wasm-bindings/coap-server-guest@0.0.1";
const INITIALIZE: &str = "initialize-handler";
const REPORT: &str = "report";
const RUN: &str = "coap-run";

/// Whether an artifact exports what a persistent capsule must.
pub(super) fn exports<P: Held>(loaded: &Loaded<P>) -> Result<(), Fault> {
    for function in [INITIALIZE, REPORT, RUN] {
        if !loaded.exports(GUEST, function) {
            return Err(Fault::NotACapsule(function));
        }
    }
    Ok(())
}

type Initialize = TypedFunc<(), (Result<(), ()>,)>;
type Report = TypedFunc<(), (Result<Vec<String>, CoapErr>,)>;
type Run = TypedFunc<(u8, u32, Vec<u8>), (Result<(u8, Vec<u8>), CoapErr>,)>;

/// A running capsule.
pub struct Persistent<H: Host> {
    desk: Box<HostDesk<H>>,
    inside: Box<Inside>,
}

/// What lies in the activity while one is under way.
struct Inside {
    instance: Instance,
    run: Run,
    resources: Vec<String>,
    stopped: bool,
}

/// What came of a call.
pub struct Called<H: Host> {
    /// The capsule; stopped, if the answer is a fault.
    pub capsule: Persistent<H>,
    /// The answer, or what the capsule did instead.
    pub answer: Result<Answer, Fault>,
}

impl<H: Host> Persistent<H> {
    /// Loads a capsule, starts it and asks for its resources, all on the fuel
    /// of one call. It logs and sends within `quota`, that of its component.
    ///
    /// # Errors
    ///
    /// At once, what is wrong with the payload. From the activity, once code
    /// of the capsule ran, [`Fault::Init`] and [`Fault::Declined`].
    pub fn start(
        manifest: &Verified<Manifest<'_>>,
        payload: Verified<Payload<ArtifactBytes>>,
        host: H,
        quota: &Quota,
    ) -> Result<Activity<Result<Self, Fault>>, Fault> {
        let (instance, imported) =
            Instance::new(manifest, Kind::Persistent, payload, MAX_TRANSFER)?;
        let desk = Box::new(HostDesk::new(host, name(manifest), quota.clone()));
        Ok(Activity::new(
            instance.hatch(),
            desk,
            Inside::start(instance, imported),
            |started, mut desk| {
                desk.end();
                let inside = Box::new(started?);
                Ok(Self { desk, inside })
            },
        ))
    }

    /// Answers a request: `code` is the method, `message` are options and
    /// payload, the path in them relative to the capsule.
    ///
    /// # Errors
    ///
    /// At once, and with the capsule as it was: [`Fault::RequestTooLong`],
    /// and after an earlier fault [`Fault::Stopped`].
    pub fn call(mut self, code: u8, message: &[u8]) -> Result<Activity<Called<H>>, (Self, Fault)> {
        if self.inside.stopped {
            return Err((self, Fault::Stopped));
        }
        let Some(request) = buffer(message) else {
            return Err((self, Fault::RequestTooLong));
        };
        self.desk.begin();
        let Self { desk, mut inside } = self;
        Ok(Activity::new(
            inside.instance.hatch(),
            desk,
            async move {
                let answer = inside.call(code, request).await;
                (inside, answer)
            },
            |(inside, answer), mut desk| {
                desk.end();
                let capsule = Self { desk, inside };
                Called { capsule, answer }
            },
        ))
    }

    /// The paths that the capsule reported when it started.
    #[must_use]
    pub fn resources(&self) -> &[String] {
        &self.inside.resources
    }

    /// What the capsule used so far.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.inside.instance.usage()
    }
}

impl Inside {
    async fn start(mut instance: Instance, imported: Grants) -> Result<Self, Fault> {
        instance.instantiate(imported).await?;
        let running = instance.running();
        let initialize: Initialize = running
            .function(GUEST, INITIALIZE)
            .ok_or(Fault::NotACapsule(INITIALIZE))?;
        let report: Report = running
            .function(GUEST, REPORT)
            .ok_or(Fault::NotACapsule(REPORT))?;
        let run: Run = running
            .function(GUEST, RUN)
            .ok_or(Fault::NotACapsule(RUN))?;

        let initialized = initialize.call_async(running.context(), ()).await;
        let reported = match initialized {
            Ok((Ok(()),)) => {
                let reported = report.call_async(running.context(), ()).await;
                reported.map(|(report,)| report.ok())
            }
            Ok((Err(()),)) => Ok(None),
            Err(error) => Err(error),
        };
        match instance.end(reported) {
            Ok(Some(resources)) => Ok(Self {
                instance,
                run,
                resources: acceptable(resources),
                stopped: false,
            }),
            other => Err(in_init(other)),
        }
    }

    async fn call(&mut self, code: u8, (length, buffer): (u32, Vec<u8>)) -> Result<Answer, Fault> {
        self.instance.begin();
        let context = self.instance.running().context();
        let result = self.run.call_async(context, (code, length, buffer)).await;
        let answer = match self.instance.end(result) {
            Ok((Ok((code, message)),)) => Answer::new(code, message).map_err(Fault::BadAnswer),
            Ok((Err(error),)) => Ok(Answer::error(error)),
            Err(fault) => Err(fault),
        };
        self.stopped = answer.is_err();
        answer
    }
}

/// One buffer for the request and for the response, and how much of it is the
/// request.
fn buffer(message: &[u8]) -> Option<(u32, Vec<u8>)> {
    let mut buffer = alloc::vec![0; MAX_MESSAGE];
    buffer.get_mut(..message.len())?.copy_from_slice(message);
    Some((u32::try_from(message.len()).ok()?, buffer))
}

/// Of what a capsule reported, the paths that fit into a link (RFC 6690).
fn acceptable(mut resources: Vec<String>) -> Vec<String> {
    let (count, length) = MAX_RESOURCES;
    resources.retain(|path| {
        let fits = path.len() <= length;
        // RFC 3986, 3.3: what a path has, without percent-encoding.
        let plain = path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/-._~!$&'()*+=:@".contains(&b));
        fits && plain && !path.is_empty() && !path.starts_with('/')
    });
    resources.truncate(count);
    resources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reported_paths_cannot_break_out_of_a_link() {
        let paths = ["a/b", "/a", "", "a>;rt=x", "a,b", "a b", "ä", "t.1~2"];
        let kept = acceptable(paths.iter().map(|p| (*p).into()).collect());
        assert_eq!(kept, ["a/b", "t.1~2"]);
        let many = acceptable((0..100).map(|n| alloc::format!("{n}")).collect());
        assert_eq!(many.len(), MAX_RESOURCES.0);
    }
}
