//! The engine profile: the Wasmtime settings that translator and device share.
//!
//! A translated capsule carries the settings it was compiled with, and
//! Wasmtime refuses to load it under different ones. So both sides take their
//! [`wasmtime::Config`] from here: the translator from `translator_config`
//! (feature `translate`), the device from [`config`].
//!
//! What is set, is set explicitly even where it is today's default: several of
//! Wasmtime's defaults depend on its cargo features, on the host's pointer
//! width or on environment variables, and would differ between a desk and a
//! microcontroller.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unreachable,
        clippy::todo
    )
)]

mod seal;

use core::fmt;
use core::num::NonZeroUsize;
use core::str::FromStr;

use wasmtime::{Config, WasmBacktraceDetails, WasmFeatures};

#[cfg(feature = "translate")]
pub use seal::seal;
pub use seal::{TooShort, is_sealed};

/// Fuel that a capsule gets for each call, unless its manifest says otherwise.
///
/// One unit is about one Wasm instruction.
pub const DEFAULT_FUEL: u64 = 10_000_000;

/// Linear memory that a capsule may have in all, in bytes, unless its manifest
/// says otherwise.
pub const DEFAULT_MEMORY: u32 = 64 * 1024;

/// Stack of the Pulley interpreter, in bytes, unless the manifest says
/// otherwise.
///
/// Rust keeps large values on a stack of its own in linear memory; what is
/// left for this one was under 1 KiB in each of the example capsules.
pub const DEFAULT_STACK: u32 = 4 * 1024;

/// The least stack that Wasmtime's interpreter can start with, in bytes.
pub const MIN_STACK: u32 = 512;

/// Core modules that a capsule may instantiate. A component of one core module
/// has three: the module, and two that tie the knot between its imports and
/// its memory.
pub const MAX_INSTANCES: usize = 8;

/// Tables that a capsule may have in all.
pub const MAX_TABLES: usize = 4;

/// Elements of one table. A table has one for each function that is called
/// indirectly.
pub const MAX_TABLE: usize = 4096;

/// Linear memories that a capsule may have.
pub const MAX_MEMORIES: usize = 2;

/// The least stack for the host's side of a call, in bytes: for Wasmtime's
/// interpreter and what moves arguments, as far as they run on the capsule's
/// fiber. Nothing of a board runs there. It is on the heap from a capsule's
/// first call on, for as long as the capsule is there.
///
/// 3,680 bytes were the most that any of the 278 capsules of this repository's
/// tests used, on x86-64 in a release build, and 2,048 what a thermometer uses on
/// a Cortex-M4F, the frames of interrupts included. How deep it gets does not
/// depend on how deep a capsule recurses, which has [`DEFAULT_STACK`] for that.
pub const FIBER_STACK: usize = if cfg!(target_pointer_width = "64") {
    8 * 1024
} else {
    6 * 1024
};

/// The name from which [`DEFAULT_VENDOR_ID`] is derived.
pub const DEFAULT_VENDOR: &str = "sealift.example";

/// The name from which [`DEFAULT_CLASS_ID`] is derived.
pub const DEFAULT_CLASS: &str = "sealift-capsule-host";

/// SUIT vendor identifier of a device that was not given its own: the UUIDv5
/// of [`DEFAULT_VENDOR`] in the DNS name space (draft-ietf-suit-manifest,
/// 8.4.8.1).
pub const DEFAULT_VENDOR_ID: [u8; 16] = [
    0xf1, 0x8d, 0x0c, 0x96, 0x88, 0xef, 0x58, 0x81, 0x80, 0xb3, 0xa5, 0x3d, 0x21, 0xbb, 0x4b, 0xed,
];

/// SUIT class identifier of a device that was not given its own: the UUIDv5 of
/// [`DEFAULT_CLASS`] in the name space [`DEFAULT_VENDOR_ID`].
pub const DEFAULT_CLASS_ID: [u8; 16] = [
    0x32, 0x85, 0xe7, 0xd2, 0x04, 0xc6, 0x5a, 0xfa, 0x9a, 0xb1, 0x46, 0xc7, 0x67, 0x7e, 0x16, 0x85,
];

/// What a capsule is translated for. Pulley bytecode is bound to the pointer
/// width of the machine that interprets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// 32-bit machines: the microcontrollers.
    Pulley32,
    /// 64-bit machines: a device as a process on a workstation or server.
    Pulley64,
}

/// The target that this program itself can run.
pub const HOST: Target = if cfg!(target_pointer_width = "64") {
    Target::Pulley64
} else {
    Target::Pulley32
};

impl Target {
    /// Every target there is.
    pub const ALL: [Self; 2] = [Self::Pulley32, Self::Pulley64];

    /// The name on command lines and in Wasmtime's settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pulley32 => "pulley32",
            Self::Pulley64 => "pulley64",
        }
    }

    /// Bytes of a pointer there.
    #[must_use]
    pub const fn pointer(self) -> u64 {
        match self {
            Self::Pulley32 => 4,
            Self::Pulley64 => 8,
        }
    }

    /// The target of that name, or `None`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// The name of the engine profile, which manifests carry and devices
    /// compare: Wasmtime's major version, the target, and a number that rises
    /// with every change of a setting in this crate, or of what the translator
    /// leaves out, that changes an artifact or whether one loads.
    #[must_use]
    pub const fn profile(self) -> &'static str {
        match self {
            Self::Pulley32 => "wasmtime48/pulley32/4",
            Self::Pulley64 => "wasmtime48/pulley64/4",
        }
    }

    /// The target that has this profile, or `None` where no target of this
    /// version has it.
    #[must_use]
    pub fn from_profile(profile: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|target| target.profile() == profile)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no target of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownTarget;

impl fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such target; the targets are pulley32 and pulley64")
    }
}

impl core::error::Error for UnknownTarget {}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(name: &str) -> Result<Self, UnknownTarget> {
        Self::from_name(name).ok_or(UnknownTarget)
    }
}

/// The Wasm features a capsule may use: what Rust, C and AssemblyScript emit
/// for a small target, and custom page sizes. No SIMD (the device's
/// interpreter is built without it), no threads, no garbage collection, no
/// exceptions, no 64-bit or second memories.
pub const FEATURES: WasmFeatures = WasmFeatures::WASM1
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::COMPONENT_MODEL)
    // Part of `WASM1` for the sake of `externref`, which needs a collector.
    .difference(WasmFeatures::GC_TYPES);

/// The settings under which a device loads and runs capsules for `target`.
///
/// `max_wasm_stack` is the size of the interpreter's stack in bytes. It does
/// not change the artifact. Zero is refused by `wasmtime::Engine::new`.
#[must_use]
pub fn config(target: Target, max_wasm_stack: usize) -> Config {
    let mut config = shared(target, max_wasm_stack);
    // Where a workspace build has the compiler linked in, a device still has
    // none: it takes only what a translator signed.
    #[cfg(feature = "translate")]
    config.enable_compiler(false);
    // Enough to say in which function a capsule stopped.
    config.wasm_backtrace_max_frames(NonZeroUsize::new(1));
    config
}

/// The settings under which the translator compiles capsules for `target`.
#[cfg(feature = "translate")]
#[must_use]
pub fn translator_config(target: Target) -> Config {
    use wasmtime::{OptLevel, Strategy};

    let mut config = shared(target, DEFAULT_STACK as usize);
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(false)
        .generate_address_map(false)
        .native_unwind_info(false)
        .metadata_for_internal_asserts(false)
        .metadata_for_gc_heap_corruption(false);
    config
}

fn shared(target: Target, max_wasm_stack: usize) -> Config {
    let mut config = Config::new();
    // A name that Wasmtime did not know would leave its default target, under
    // which no artifact of ours loads.
    let known = config.target(target.name()).is_ok();
    debug_assert!(known);

    // Memory is one allocation, which may move when it grows; nothing relies
    // on virtual memory or on signals.
    config
        .memory_init_cow(false)
        .memory_reservation(0)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .guard_before_linear_memory(false)
        .memory_may_move(true)
        .table_lazy_init(false)
        .signals_based_traps(false)
        .max_wasm_stack(max_wasm_stack)
        // Wasmtime refuses to have it smaller, though for an interpreter they
        // have nothing to do with each other.
        .async_stack_size(max_wasm_stack.max(FIBER_STACK));

    config
        .consume_fuel(true)
        .epoch_interruption(false)
        .concurrency_support(false);

    config
        .debug_info(false)
        .debug_symbols(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);

    config
        .wasm_features(WasmFeatures::all().difference(FEATURES), false)
        .wasm_features(FEATURES, true);
    config
}
