//! The four things that are fuzzed.

mod crafted;
pub(crate) mod datagram;
#[cfg(feature = "liboscore")]
pub(crate) mod differential;
pub(crate) mod edhoc;
pub(crate) mod inner;

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
}

impl Target {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Datagram,
        Self::Inner,
        Self::Edhoc,
        #[cfg(feature = "liboscore")]
        Self::OscoreDifferential,
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
        }
    }

    /// Runs an input, which may be any bytes. Panics where something is wrong.
    pub fn run(self, input: &[u8]) -> Trace {
        let script = Script::decode(input);
        match self {
            Self::Datagram => datagram::run(&script),
            Self::Inner => inner::run(&script),
            Self::Edhoc => edhoc::run(&script),
            #[cfg(feature = "liboscore")]
            Self::OscoreDifferential => differential::run(&script),
        }
    }

    /// Inputs to start from, each with a name.
    #[must_use]
    pub fn seeds(self) -> Vec<(String, Script)> {
        match self {
            Self::Datagram => seeds::datagram(),
            Self::Inner => seeds::inner(),
            Self::Edhoc => seeds::edhoc(),
            #[cfg(feature = "liboscore")]
            Self::OscoreDifferential => seeds::differential(),
        }
    }
}

/// A time in milliseconds, from none to a day: a small number, or a power of 2.
fn time(arg: u8) -> u64 {
    match arg {
        0..0x80 => u64::from(arg),
        _ => 1 << (arg % 27),
    }
}
