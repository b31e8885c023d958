//! What persistent and ephemeral capsules have in common: the way from a
//! manifest and its payload to an instance, and from an error to a fault.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sealift_engine::MIN_STACK;
use sealift_manifest::{Grants, Kind, Manifest, Payload, Verified};
use wasmtime::component::Linker;
use wasmtime::{Engine, Error, FrameInfo, OutOfMemory, Trap, WasmBacktrace};

use super::abi::Reading;
use super::errand::Hatch;
use super::fault::{Fault, HostTrap, Place, TrapReason};
use super::imports::{clean, imported, link};
use super::limits::Limiter;
use super::load::{Held, Loaded, Running};
use super::{ArtifactBytes, SLICE, persistent};

/// Checks, without running it, that a payload is a capsule that its manifest
/// lets run: it loads, imports nothing but what is granted, and
/// exports what its kind must.
///
/// # Errors
///
/// The first check that fails.
pub fn check(
    manifest: &Verified<Manifest<'_>>,
    payload: &Verified<Payload<ArtifactBytes>>,
) -> Result<(), Fault> {
    let kind = manifest.invoke.kind;
    load(manifest, kind, payload).map(|_| ())
}

/// Loads an artifact and makes all checks that need no instance. The grants
/// are those that it imports.
fn load<P: Held>(
    manifest: &Verified<Manifest<'_>>,
    kind: Kind,
    payload: P,
) -> Result<(Loaded<P>, Grants), Fault> {
    if manifest.invoke.kind != kind {
        return Err(Fault::WrongKind);
    }
    if *payload.payload().digest() != manifest.payload_digest {
        return Err(Fault::OtherPayload);
    }
    if manifest.invoke.stack < MIN_STACK {
        return Err(Fault::Limits);
    }
    let stack = usize::try_from(manifest.invoke.stack).map_err(|_| Fault::Limits)?;
    let config = sealift_engine::config(sealift_engine::HOST, stack);
    let engine = Engine::new(&config).map_err(|error| Fault::Engine(text(&error)))?;
    let loaded = Loaded::new(&engine, payload)?;
    match kind {
        Kind::Persistent => persistent::exports(&loaded)?,
        #[cfg(feature = "jobs")]
        Kind::Ephemeral => super::ephemeral::exports(&loaded)?,
        #[cfg(not(feature = "jobs"))]
        Kind::Ephemeral => return Err(Fault::WrongKind),
    }
    let imported = imported(&loaded, manifest.invoke.grants)?;
    Ok((loaded, imported))
}

/// What the store of a capsule holds.
pub(super) struct State {
    /// Where its host calls go.
    pub(super) hatch: Hatch,
    /// What was measured last.
    pub(super) readings: Option<Vec<Reading>>,
    limiter: Limiter,
}

/// What a capsule used of its budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Fuel of the last call; after the start, what that cost.
    pub fuel_last: u64,
    /// The most fuel of any call, the start among them.
    pub fuel_max: u64,
    /// Linear memory now, in bytes; more than that after a growth for which the board
    /// had no room.
    pub memory: u32,
    /// The most that there was of linear memory and tables, in bytes.
    pub memory_max: u32,
}

/// An instance with its budget.
pub(super) struct Instance {
    running: Running<State>,
    fuel: u64,
    usage: Usage,
}

impl Instance {
    /// Loads, and makes ready to be [instantiated](Instance::instantiate).
    pub(super) fn new(
        manifest: &Verified<Manifest<'_>>,
        kind: Kind,
        payload: Verified<Payload<ArtifactBytes>>,
        transfer: usize,
    ) -> Result<(Self, Grants), Fault> {
        let (loaded, imported) = load(manifest, kind, payload)?;
        let memory = usize::try_from(manifest.invoke.memory).map_err(|_| Fault::Limits)?;
        let state = State {
            hatch: Hatch::default(),
            readings: None,
            limiter: Limiter::new(memory),
        };
        let mut running = Running::new(loaded, state);
        running
            .configure(transfer, SLICE, |state| &mut state.limiter)
            .map_err(|error| Fault::Engine(text(&error)))?;
        let instance = Self {
            running,
            fuel: manifest.invoke.fuel,
            usage: Usage::default(),
        };
        Ok((instance, imported))
    }

    /// Instantiates. What the capsule does meanwhile belongs to its first
    /// call: it does not [begin](Instance::begin) anew.
    pub(super) async fn instantiate(&mut self, imported: Grants) -> Result<(), Fault> {
        let mut linker = Linker::new(self.loaded().engine());
        link(&mut linker, imported).map_err(|error| Fault::Engine(text(&error)))?;
        self.begin();
        match self.running.instantiate(&linker).await {
            Ok(()) => Ok(()),
            Err(error) => Err(in_init(self.end::<()>(Err(error)))),
        }
    }

    /// Begins a call, with all its fuel.
    pub(super) fn begin(&mut self) {
        let mut cx = self.running.context();
        // Fails only where the engine has no fuel, and ours has.
        let set = cx.set_fuel(self.fuel);
        debug_assert!(set.is_ok());
        cx.data_mut().limiter.begin();
    }

    /// Ends a call: what it cost, and what its result means.
    pub(super) fn end<R>(&mut self, result: Result<R, Error>) -> Result<R, Fault> {
        let cx = self.running.context();
        let left = cx.get_fuel().unwrap_or(0);
        let limiter = &cx.data().limiter;
        let bytes = |size| u32::try_from(size).unwrap_or(u32::MAX);
        let fuel_last = self.fuel.saturating_sub(left);
        self.usage = Usage {
            fuel_last,
            fuel_max: self.usage.fuel_max.max(fuel_last),
            memory: bytes(limiter.memory()),
            memory_max: bytes(limiter.peak()),
        };
        result.map_err(|error| fault(&error, limiter.refused()))
    }

    /// The artifact that it is an instance of.
    pub(super) const fn loaded(&self) -> &Loaded {
        self.running.loaded()
    }

    /// The instance itself.
    pub(super) fn running(&mut self) -> &mut Running<State> {
        &mut self.running
    }

    /// Where its host calls go.
    pub(super) fn hatch(&self) -> Hatch {
        self.running.data().hatch.clone()
    }

    /// What it used so far.
    pub(super) const fn usage(&self) -> Usage {
        self.usage
    }
}

/// A fault while the capsule was starting.
pub(super) fn in_init<R>(result: Result<R, Fault>) -> Fault {
    match result {
        Ok(_) => Fault::Declined,
        Err(fault) => Fault::Init(Box::new(fault)),
    }
}

/// The name by which the log knows a capsule.
pub(super) fn name(manifest: &Verified<Manifest<'_>>) -> String {
    manifest.component.to_string()
}

/// What an error of Wasmtime means, and where it happened.
fn fault(error: &Error, refused_memory: bool) -> Fault {
    let fault = cause(error, refused_memory);
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    match backtrace.and_then(|backtrace| backtrace.frames().first()) {
        Some(frame) => Fault::In(place(frame), Box::new(fault)),
        None => fault,
    }
}

fn place(frame: &FrameInfo) -> Place {
    Place {
        function: frame.func_index(),
        name: frame.func_name().map(clean),
    }
}

fn cause(error: &Error, refused_memory: bool) -> Fault {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::OutOfFuel => Fault::OutOfFuel,
            Trap::StackOverflow => Fault::StackOverflow,
            Trap::AllocationTooLarge => Fault::OutOfMemory,
            _ if refused_memory => Fault::OutOfMemory,
            trap => Fault::Trapped(TrapReason::Wasm(*trap)),
        };
    }
    if let Some(trap) = error.downcast_ref::<HostTrap>() {
        return Fault::Trapped(TrapReason::Host(*trap));
    }
    if refused_memory || error.is::<OutOfMemory>() {
        return Fault::OutOfMemory;
    }
    // Without the backtrace, which is around it.
    let reason = clean(&error.root_cause().to_string());
    Fault::Trapped(TrapReason::Other(reason))
}

/// What an error says, as a line of the log.
pub(super) fn text(error: &Error) -> String {
    clean(&alloc::format!("{error:#}"))
}
