//! The capsule runtime: Wasmtime, held so that a capsule can do no more than
//! its signed manifest says.
//!
//! # From bytes to a running capsule
//!
//! [`ArtifactBytes`] are read from flash, [admitted](Verified::admit) by the
//! verified manifest, and only then started: [`Persistent::start`],
//! [`Ephemeral::run`] and [`check`] take `Verified<Payload<ArtifactBytes>>`
//! and nothing else. The one call that would be unsound on bytes that nobody
//! checked is in `load`. Besides that, `mapping` and `tls` are the modules here with
//! unsafe code of their own.
//!
//! # What holds a capsule
//!
//! | | bound | what happens at the bound |
//! |---|---|---|
//! | time | fuel, anew for each call; starting a capsule is one call | [`Fault::OutOfFuel`] |
//! | linear memory | the manifest's `memory`, over all memories; memory that grew can take twice that of the heap, as a vector does | growth is refused; a trap in the same call is [`Fault::OutOfMemory`] |
//! | stack | the manifest's `stack` | [`Fault::StackOverflow`] |
//! | imports | the manifest's grants, one by one | [`Fault::Ungranted`], before anything runs |
//! | data in one host call, or in one result | [`MAX_TRANSFER`], for a job [`MAX_OUTPUT`] | [`Fault::Trapped`] |
//! | random numbers in one host call | [`MAX_RANDOM`] bytes | [`Fault::Trapped`] |
//! | log | [`MAX_LOG_LINE`] bytes; [`MAX_LOG_LINES`] lines in each call, [`LOG_BURST`] over time, whatever is started anew meanwhile ([`Quota`]) | cut; counted and left out |
//! | UDP | [`MAX_UDP`] bytes; [`MAX_SENDS`] datagrams in each call, [`SEND_BURST`] over time, the same | an error from the interface |
//! | answer | [`MAX_MESSAGE`] bytes, response codes and options only | [`Fault::BadAnswer`] |
//!
//! Host calls cost fuel, a base and something for each byte, so that a loop of
//! host calls ends as any other loop does. Waiting costs [`FUEL_PER_MS`], so
//! that a call that waits comes to its end, too.
//!
//! # Side by side
//!
//! A capsule's code runs while its [`Activity`] is polled, for a [`SLICE`] of
//! fuel at most, on a stack of its own; what it asks of the board is done by
//! who polls. Nothing here waits, and nothing needs an executor. A call takes
//! the capsule into its activity and gives it back at the end.
//!
//! Where a board has nothing behind an interface, the capsule is told so, by
//! the error that the interface has for that.
//!
//! After a fault the instance is gone for good: each further call is
//! [`Fault::Stopped`] until the supervisor starts the capsule anew.

mod abi;
mod activity;
mod answer;
mod artifact;
mod desk;
#[cfg(feature = "jobs")]
mod ephemeral;
mod errand;
mod fault;
#[cfg(feature = "jobs")]
mod functions;
mod host;
mod imports;
mod limits;
mod load;
mod mapping;
mod persistent;
mod quota;
mod runtime;
mod tls;
#[cfg(feature = "udp")]
mod udp;

pub use abi::{Accuracy, Category, Label, Reading, Unit};
pub use activity::{Activity, Progress};
pub use answer::Answer;
pub use artifact::{ArtifactBytes, ReadError};
#[cfg(feature = "jobs")]
pub use ephemeral::Ephemeral;
pub use fault::{BadAnswer, Fault, HostTrap, Place, TrapReason};
pub use host::{Datagram, Host, Unavailable};
pub(crate) use imports::BUILT;
pub use mapping::Mapping;
pub use persistent::{Called, Persistent};
pub use quota::Quota;
pub use runtime::{Usage, check};

#[cfg(doc)]
use sealift_manifest::Verified;

/// The longest request or answer of a persistent capsule, options and payload,
/// in bytes. What treVM hands over, too.
pub const MAX_MESSAGE: usize = 1280;

/// The most that a capsule hands to the device in one go, in bytes: the
/// arguments of a host call, or the result of a call.
pub const MAX_TRANSFER: usize = 4096;

/// The longest output of an ephemeral capsule, in bytes.
pub const MAX_OUTPUT: usize = 16 * 1024;

/// The most random bytes for one host call.
pub const MAX_RANDOM: u32 = 1024;

/// The longest line in the log, in bytes of UTF-8.
pub const MAX_LOG_LINE: usize = 256;

/// The most log lines of a capsule in one call.
pub const MAX_LOG_LINES: u32 = 16;

/// The most log lines of a component over the calls of its capsules: so many at once, and one
/// more each [`LOG_REFILL_MS`].
pub const LOG_BURST: u32 = 64;

/// See [`LOG_BURST`].
pub const LOG_REFILL_MS: u64 = 1000;

/// The longest datagram that a capsule sends or receives, in bytes.
pub const MAX_UDP: usize = 1280;

/// The most datagrams that a capsule sends in one call. A port that is bound
/// counts as one.
pub const MAX_SENDS: u32 = 16;

/// The most datagrams that a component sends over the calls of its capsules:
/// so many at once, and one more each [`SEND_REFILL_MS`].
pub const SEND_BURST: u32 = 64;

/// See [`SEND_BURST`].
pub const SEND_REFILL_MS: u64 = 1000;

/// The most resources that a capsule reports, and the longest path, in bytes.
pub const MAX_RESOURCES: (usize, usize) = (32, 64);

/// Fuel after which a capsule lets others in: some 20 ms on a Cortex-M4 at 64 MHz. A
/// poll costs a slice, and at most three where there are host calls in it.
pub const SLICE: u64 = 50_000;

/// Fuel for a host call, besides what its data cost.
pub const FUEL_PER_HOST_CALL: u64 = 200;

/// Fuel for each byte that a host call moves.
pub const FUEL_PER_BYTE: u64 = 4;

/// Fuel for each millisecond that a capsule waits: so that its fuel bounds the
/// time that a call can take, too.
pub const FUEL_PER_MS: u64 = 1000;
