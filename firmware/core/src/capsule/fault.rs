//! What can go wrong with a capsule: one variant for each check.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use sealift_wire::Refusal;

/// Why a capsule was not started, or was stopped.
///
/// [`fmt::Display`] is for the device's log; a peer is told
/// [`Fault::refusal`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The payload belongs to another manifest than the one it came with.
    OtherPayload,
    /// The manifest's limits are too small, or this machine has no such
    /// memory, for any capsule to run.
    Limits,
    /// Wasmtime does not take the settings; a bug.
    Engine(String),
    /// Wasmtime does not take the artifact, though it is signed: another
    /// version, other settings, or a bug.
    Load(String),
    /// The artifact is signed, and yet not as a translator for this engine
    /// profile finished it: damaged before it was signed, or made by something
    /// else.
    Unsealed,
    /// It imports an interface that no device of this kind has.
    UnknownImport(String),
    /// It imports an interface that its manifest does not grant.
    Ungranted(&'static str),
    /// It lacks this export.
    NotACapsule(&'static str),
    /// The manifest is for the other kind of capsule.
    WrongKind,
    /// It did not start: what happened meanwhile.
    Init(Box<Fault>),
    /// Its `initialize-handler` said that it cannot work.
    Declined,
    /// It trapped.
    Trapped(TrapReason),
    /// It used up the fuel of one call.
    OutOfFuel,
    /// It was refused memory, and trapped.
    OutOfMemory,
    /// It used up the stack.
    StackOverflow,
    /// It answered with something that is no answer.
    BadAnswer(BadAnswer),
    /// The request is longer than [`MAX_MESSAGE`](super::MAX_MESSAGE).
    RequestTooLong,
    /// An ephemeral capsule reported an error of its own.
    Job(String),
    /// It had a fault before and was not started anew.
    Stopped,
    /// It exports this function, which a line of text cannot call or whose
    /// result is none.
    FunctionType(String),
    /// The input of an ephemeral capsule calls no function of it: what is
    /// wrong, and what there is.
    BadInput(String),
    /// What happened while this function of the capsule ran.
    In(Place, Box<Fault>),
    /// An ephemeral capsule's functions returned more than
    /// [`MAX_OUTPUT`](super::MAX_OUTPUT) bytes in all.
    OutputTooLong,
}

/// A function of a capsule.
///
/// The index is free. A name needs the Wasm's `name` section in the payload,
/// and a translator leaves custom sections out; an offset needs a table of
/// addresses (`generate_address_map`) that is longer than the code. Who has
/// the Wasm, built without stripping it, needs neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its index in its core module, imports counted. `wasm-objdump -x`,
    /// `wasm-tools print` and the like tell which that is.
    pub function: u32,
    /// Its name, where the payload has it.
    pub name: Option<String>,
}

/// Why a capsule trapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrapReason {
    /// A trap of Wasm.
    Wasm(wasmtime::Trap),
    /// A host function ended it.
    Host(HostTrap),
    /// Anything else that Wasmtime ends a call for, in its words.
    Other(String),
}

/// Why a host function ended a capsule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostTrap {
    /// It asked for so many random bytes.
    Random(u32),
    /// The board has no random numbers now.
    NoRandom,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAnswer {
    /// The code is not one of a response.
    Code(u8),
    /// Options and payload do not parse.
    Malformed,
    /// An option that a capsule's response cannot have.
    Option(u16),
    /// It has this many bytes.
    TooLong(usize),
}

impl Fault {
    /// What happened, wherever that was: never [`Fault::In`].
    #[must_use]
    pub const fn what(&self) -> &Self {
        let mut fault = self;
        while let Self::In(_, inner) = fault {
            fault = inner;
        }
        fault
    }

    /// A stable number, one for each variant; that of [`Fault::what`]. There
    /// is no 7 any more.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::In(_, fault) => fault.code(),
            Self::OtherPayload => 1,
            Self::Limits => 2,
            Self::Engine(_) => 3,
            Self::Load(_) => 4,
            Self::UnknownImport(_) => 5,
            Self::Ungranted(_) => 6,
            Self::NotACapsule(_) => 8,
            Self::WrongKind => 9,
            Self::Init(_) => 10,
            Self::Declined => 11,
            Self::Trapped(_) => 12,
            Self::OutOfFuel => 13,
            Self::OutOfMemory => 14,
            Self::StackOverflow => 15,
            Self::BadAnswer(_) => 16,
            Self::RequestTooLong => 17,
            Self::Job(_) => 18,
            Self::Stopped => 19,
            Self::FunctionType(_) => 20,
            Self::BadInput(_) => 21,
            Self::OutputTooLong => 22,
            Self::Unsealed => 23,
        }
    }

    /// What may be told to who is allowed to run jobs, besides the refusal:
    /// the capsule's own words, or what was wrong with the input.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Job(text) | Self::BadInput(text) => Some(text),
            _ => None,
        }
    }

    /// What a peer is told.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::In(_, fault) => fault.refusal(),
            Self::OtherPayload => Refusal::WrongPayload,
            Self::Limits => Refusal::LimitsTooHigh,
            Self::Engine(_) => Refusal::Internal,
            Self::Load(_) | Self::Unsealed => Refusal::WrongProfile,
            Self::UnknownImport(_) | Self::Ungranted(_) => Refusal::Ungranted,
            Self::NotACapsule(_) | Self::FunctionType(_) => Refusal::NotACapsule,
            Self::WrongKind => Refusal::WrongKind,
            Self::Init(_) | Self::Declined => Refusal::InitFailed,
            Self::Trapped(_) => Refusal::Trapped,
            Self::OutOfFuel => Refusal::OutOfFuel,
            Self::OutOfMemory => Refusal::OutOfMemory,
            Self::StackOverflow => Refusal::StackOverflow,
            Self::BadAnswer(_) | Self::OutputTooLong => Refusal::BadAnswer,
            Self::BadInput(_) => Refusal::BadRequest,
            Self::RequestTooLong => Refusal::TooLarge,
            Self::Job(_) => Refusal::JobFailed,
            Self::Stopped => Refusal::NoCapsule,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherPayload => f.write_str("the payload belongs to another manifest"),
            Self::Limits => f.write_str("no capsule runs within these limits"),
            Self::Engine(error) => write!(f, "the engine does not start: {error}"),
            Self::Load(error) => write!(f, "the artifact does not load: {error}"),
            Self::Unsealed => f.write_str("the artifact is not as a translator finished it"),
            Self::UnknownImport(name) => write!(f, "imports {name}, which is unknown"),
            Self::Ungranted(name) => write!(f, "imports {name}, which was not granted"),
            Self::NotACapsule(export) => write!(f, "does not export {export} as a capsule must"),
            Self::WrongKind => f.write_str("the manifest is for the other kind of capsule"),
            Self::Init(fault) => write!(f, "did not start: {fault}"),
            Self::Declined => f.write_str("its initialisation failed"),
            Self::Trapped(reason) => write!(f, "trapped: {reason}"),
            Self::OutOfFuel => f.write_str("used up its fuel"),
            Self::OutOfMemory => f.write_str("was refused memory, and trapped"),
            Self::StackOverflow => f.write_str("used up its stack"),
            Self::BadAnswer(reason) => write!(f, "bad answer: {reason}"),
            Self::RequestTooLong => f.write_str("the request is too long for a capsule"),
            Self::Job(message) => write!(f, "reported: {message}"),
            Self::Stopped => f.write_str("is stopped since an earlier fault"),
            Self::FunctionType(name) => {
                write!(f, "exports {name} with types that are no text")
            }
            Self::BadInput(what) => f.write_str(what),
            Self::In(place, fault) => write!(f, "{fault}, in {place}"),
            Self::OutputTooLong => {
                write!(f, "returned more than {} bytes", super::MAX_OUTPUT)
            }
        }
    }
}

impl core::error::Error for Fault {}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {}", self.function)?;
        match &self.name {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for TrapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wasm(trap) => trap.fmt(f),
            Self::Host(trap) => trap.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for HostTrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(len) => write!(
                f,
                "asked for {len} random bytes; {} is the most",
                super::MAX_RANDOM
            ),
            Self::NoRandom => f.write_str("the board has no random numbers now"),
        }
    }
}

impl core::error::Error for HostTrap {}

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code {}.{:02} is no response", code >> 5, code & 31),
            Self::Malformed => f.write_str("options and payload do not parse"),
            Self::Option(number) => write!(f, "option {number} is not for capsules"),
            Self::TooLong(len) => write!(f, "{len} bytes; {} is the most", super::MAX_MESSAGE),
        }
    }
}
