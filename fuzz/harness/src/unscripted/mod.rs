//! Targets below the device, whose inputs are bytes and not steps of a script.

mod envelope;
mod store;

/// A thing that is fuzzed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unscripted {
    /// Envelopes, and manifests that are signed as they are.
    Envelope,
    /// Histories of the store, against its model.
    Store,
}

impl Unscripted {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Envelope, Self::Store];

    /// The name of the fuzzer and of its folders.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Store => "store",
        }
    }

    /// Runs an input, which may be any bytes. Panics where something is wrong.
    /// Returns whether it came to what the target is for: a manifest that was taken,
    /// a power cut.
    pub fn run(self, input: &[u8]) -> bool {
        match self {
            Self::Envelope => envelope::run(input),
            Self::Store => store::run(input),
        }
    }

    /// Inputs to start from, by name.
    #[must_use]
    pub fn seeds(self) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::Envelope => envelope::seeds(),
            Self::Store => store::seeds(),
        }
    }
}
