//! Capsules that stay and answer requests.

use alloc::string::String;
use alloc::vec::Vec;

use sealift_manifest::{Kind, Manifest, Payload, Verified};
use wasmtime::component::TypedFunc;

use super::abi::CoapErr;
use super::answer::Answer;
use super::fault::Fault;
use super::host::Host;
use super::runtime::{Instance, in_init};
use super::{ArtifactBytes, MAX_MESSAGE, MAX_RESOURCES, MAX_TRANSFER};

const GUEST: &str = "ariel:wasm-bindings/coap-server-guest@0.0.1";
const INITIALIZE: &str = "initialize-handler";
const REPORT: &str = "report";
const RUN: &str = "coap-run";

/// What a persistent capsule exports.
pub(super) const EXPORTS: [(&str, &str); 3] = [(GUEST, INITIALIZE), (GUEST, REPORT), (GUEST, RUN)];

type Initialize = TypedFunc<(), (Result<(), ()>,)>;
type Report = TypedFunc<(), (Result<Vec<String>, CoapErr>,)>;
type Run = TypedFunc<(u8, u32, Vec<u8>), (Result<(u8, Vec<u8>), CoapErr>,)>;

/// A running capsule.
pub struct Persistent<H: Host> {
    instance: Instance<H>,
    run: Run,
    resources: Vec<String>,
    stopped: bool,
}

impl<H: Host> Persistent<H> {
    /// Loads a capsule, starts it and asks for its resources, all on the fuel
    /// of one call.
    ///
    /// # Errors
    ///
    /// What is wrong with the payload; or, once code of the capsule ran,
    /// [`Fault::Init`] and [`Fault::Declined`].
    pub fn start(
        manifest: &Verified<Manifest<'_>>,
        payload: Verified<Payload<ArtifactBytes>>,
        host: H,
    ) -> Result<Self, Fault> {
        let mut instance =
            Instance::start(manifest, Kind::Persistent, payload, host, MAX_TRANSFER)?;
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

        let initialized = initialize.call(running.context(), ());
        let reported = match initialized {
            Ok((Ok(()),)) => report
                .call(running.context(), ())
                .map(|(report,)| report.ok()),
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

    /// Answers a request: `code` is the method, `message` are options and
    /// payload, the path in them relative to the capsule.
    ///
    /// # Errors
    ///
    /// What the capsule did instead. After that, every further call is
    /// [`Fault::Stopped`]. A request that is too long changes nothing.
    pub fn call(&mut self, code: u8, message: &[u8]) -> Result<Answer, Fault> {
        if self.stopped {
            return Err(Fault::Stopped);
        }
        // One buffer for the request and for the response.
        let mut buffer = alloc::vec![0; MAX_MESSAGE];
        let length = u32::try_from(message.len()).map_err(|_| Fault::RequestTooLong)?;
        buffer
            .get_mut(..message.len())
            .ok_or(Fault::RequestTooLong)?
            .copy_from_slice(message);

        self.instance.begin();
        let running = self.instance.running();
        let result = self.run.call(running.context(), (code, length, buffer));
        let answer = match self.instance.end(result) {
            Ok((Ok((code, message)),)) => Answer::new(code, message).map_err(Fault::BadAnswer),
            Ok((Err(error),)) => Ok(Answer::error(error)),
            Err(fault) => Err(fault),
        };
        self.stopped = answer.is_err();
        answer
    }

    /// The paths that the capsule reported when it started.
    #[must_use]
    pub fn resources(&self) -> &[String] {
        &self.resources
    }

    /// Fuel that the last call cost; after the start, what that cost.
    #[must_use]
    pub const fn fuel_used(&self) -> u64 {
        self.instance.fuel_used()
    }

    /// The capsule's linear memory, in bytes.
    #[must_use]
    pub fn memory(&self) -> u32 {
        u32::try_from(self.instance.memory()).unwrap_or(u32::MAX)
    }
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
