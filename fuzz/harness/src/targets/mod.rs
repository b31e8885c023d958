//! The things that are fuzzed.

mod crafted;
pub(crate) mod datagram;
#[cfg(feature = "liboscore")]
pub(crate) mod differential;
pub(crate) mod edhoc;
mod envelope;
mod hostcalls;
pub(crate) mod inner;
mod pipeline;
mod store;
mod updater;
#[cfg(feature = "validators")]
mod validators;

use crate::script::Script;
use crate::seeds;
use crate::trace::Trace;

/// A thing that is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Datagrams of anybody, into a device with sessions.
    Datagram,
    /// Plaintexts of peers with a session: encrypted as they should be.
    Inner,
    /// Key exchanges, from both sides, up to a finished one.
    Edhoc,
    /// Our OSCORE against liboscore, on what that survives.
    #[cfg(feature = "liboscore")]
    OscoreDifferential,
    /// Envelopes, and manifests that are signed as they are.
    Envelope,
    /// Histories of the store, against its model.
    Store,
    /// The updater, against a device that says anything.
    Updater,
    /// Updates of a whole device, with power cuts and attacks, against a model.
    Pipeline,
    /// What a capsule hands to the host, and answers.
    Hostcalls,
    /// Our reading of envelopes against other people's.
    #[cfg(feature = "validators")]
    Validators,
}

impl Target {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Datagram,
        Self::Inner,
        Self::Edhoc,
        #[cfg(feature = "liboscore")]
        Self::OscoreDifferential,
        Self::Envelope,
        Self::Store,
        Self::Updater,
        Self::Pipeline,
        Self::Hostcalls,
        #[cfg(feature = "validators")]
        Self::Validators,
    ];

    /// The name of the fuzzer and of its folders.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Datagram => "datagram",
            Self::Inner => "inner",
            Self::Edhoc => "edhoc",
            #[cfg(feature = "liboscore")]
            Self::OscoreDifferential => "oscore_differential",
            Self::Envelope => "envelope",
            Self::Store => "store",
            Self::Updater => "updater",
            Self::Pipeline => "pipeline",
            Self::Hostcalls => "hostcalls",
            #[cfg(feature = "validators")]
            Self::Validators => "validators",
        }
    }

    /// Whether inputs are scripts, and are changed as such.
    #[must_use]
    pub const fn is_scripted(self) -> bool {
        !matches!(self, Self::Envelope | Self::Store)
    }

    /// Runs an input, which may be any bytes. Panics where something is wrong.
    pub fn run(self, input: &[u8]) -> Trace {
        let script = || Script::decode(input);
        match self {
            Self::Datagram => datagram::run(&script()),
            Self::Inner => inner::run(&script()),
            Self::Edhoc => edhoc::run(&script()),
            #[cfg(feature = "liboscore")]
            Self::OscoreDifferential => differential::run(&script()),
            Self::Envelope => Trace::of(envelope::run(input)),
            Self::Store => Trace::of(store::run(input)),
            Self::Updater => updater::run(&script()),
            Self::Pipeline => pipeline::run(&script()),
            Self::Hostcalls => hostcalls::run(&script()),
            #[cfg(feature = "validators")]
            Self::Validators => validators::run(&script()),
        }
    }

    /// Inputs to start from, each with a name.
    #[must_use]
    pub fn seeds(self) -> Vec<(String, Vec<u8>)> {
        let scripts = match self {
            Self::Envelope => return envelope::seeds(),
            Self::Store => return store::seeds(),
            Self::Datagram => seeds::datagram(),
            Self::Inner => seeds::inner(),
            Self::Edhoc => seeds::edhoc(),
            #[cfg(feature = "liboscore")]
            Self::OscoreDifferential => seeds::differential(),
            Self::Updater => updater::seeds(),
            Self::Pipeline => pipeline::seeds(),
            Self::Hostcalls => hostcalls::seeds(),
            #[cfg(feature = "validators")]
            Self::Validators => validators::seeds(),
        };
        let encoded = scripts.into_iter();
        encoded
            .map(|(name, script)| (name, script.encode()))
            .collect()
    }
}

/// A time in milliseconds, from none to a day: a small number, or a power of 2.
fn time(arg: u8) -> u64 {
    match arg {
        0..0x80 => u64::from(arg),
        _ => 1 << (arg % 27),
    }
}
