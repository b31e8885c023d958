//! What persistent and ephemeral capsules have in common: the way from a
//! manifest and its payload to an instance, and from an error to a fault.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sealift_manifest::{Grants, Kind, Manifest, Payload, Verified};
use wasmtime::component::Linker;
use wasmtime::{Engine, Error, OutOfMemory, Trap};

use super::abi::Reading;
use super::fault::{Fault, HostTrap, TrapReason};
use super::host::Host;
use super::imports::{clean, imported, link};
use super::limits::Limiter;
use super::load::{Held, Loaded, Running};
use super::{ArtifactBytes, ephemeral, persistent};

/// The least stack that Wasmtime's interpreter can start with, in bytes.
const MIN_STACK: usize = 512;

/// Checks, without running it, that a payload is a capsule that its manifest
/// lets run: it loads, imports nothing but what is granted and offered, and
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
    let stack = usize::try_from(manifest.invoke.stack).map_err(|_| Fault::Limits)?;
    if stack < MIN_STACK {
        return Err(Fault::Limits);
    }
    let config = sealift_engine::config(sealift_engine::HOST, stack);
    let engine = Engine::new(&config).map_err(|error| Fault::Engine(text(&error)))?;
    let loaded = Loaded::new(&engine, payload).map_err(|error| Fault::Load(text(&error)))?;
    let exports = match kind {
        Kind::Persistent => &persistent::EXPORTS[..],
        Kind::Ephemeral => &ephemeral::EXPORTS[..],
    };
    for (interface, function) in exports {
        if !loaded.exports(interface, function) {
            return Err(Fault::NotACapsule(function));
        }
    }
    let imported = imported(&loaded, manifest.invoke.grants)?;
    Ok((loaded, imported))
}

/// What the store of a capsule holds.
pub(super) struct State<H> {
    pub(super) host: H,
    /// The component, for the log.
    pub(super) name: String,
    /// What was measured last.
    pub(super) readings: Option<Vec<Reading>>,
    /// Log lines in this call, written and left out.
    pub(super) lines: u32,
    pub(super) lines_left_out: u32,
    limiter: Limiter,
}

/// An instance with its budget.
pub(super) struct Instance<H: Host> {
    running: Running<State<H>>,
    fuel: u64,
    fuel_used: u64,
}

impl<H: Host> Instance<H> {
    /// Loads and instantiates. What the capsule does meanwhile belongs to its
    /// first call: [`Instance::call`] does not renew the fuel before
    /// [`Instance::begin`] says so.
    pub(super) fn start(
        manifest: &Verified<Manifest<'_>>,
        kind: Kind,
        payload: Verified<Payload<ArtifactBytes>>,
        host: H,
        transfer: usize,
    ) -> Result<Self, Fault> {
        let (loaded, imported) = load(manifest, kind, payload)?;
        let memory = usize::try_from(manifest.invoke.memory).map_err(|_| Fault::Limits)?;
        let mut linker = Linker::new(loaded.engine());
        link(&mut linker, imported).map_err(|error| Fault::Engine(text(&error)))?;
        let state = State {
            host,
            name: manifest.component.to_string(),
            readings: None,
            lines: 0,
            lines_left_out: 0,
            limiter: Limiter::new(memory),
        };
        let mut running = Running::new(loaded, state);
        running.configure(transfer, |state| &mut state.limiter);
        let mut instance = Self {
            running,
            fuel: manifest.invoke.fuel,
            fuel_used: 0,
        };
        instance.begin();
        let result = instance.running.instantiate(&linker);
        match result {
            Ok(()) => Ok(instance),
            Err(error) => Err(in_init(instance.end::<()>(Err(error)))),
        }
    }

    /// Begins a call: all fuel, no log lines yet.
    pub(super) fn begin(&mut self) {
        let mut cx = self.running.context();
        // Fails only where the engine has no fuel, and ours has.
        let set = cx.set_fuel(self.fuel);
        debug_assert!(set.is_ok());
        let state = cx.data_mut();
        state.lines = 0;
        state.lines_left_out = 0;
        state.limiter.begin();
    }

    /// Ends a call: what it cost, what it did not log, and what its result
    /// means.
    pub(super) fn end<R>(&mut self, result: Result<R, Error>) -> Result<R, Fault> {
        let mut cx = self.running.context();
        let left = cx.get_fuel().unwrap_or(0);
        self.fuel_used = self.fuel.saturating_sub(left);
        let State {
            host,
            name,
            lines_left_out,
            limiter,
            ..
        } = cx.data_mut();
        if *lines_left_out > 0 {
            host.log(
                name,
                &alloc::format!("({lines_left_out} more lines left out)"),
            );
        }
        result.map_err(|error| fault(&error, limiter.refused()))
    }

    /// The instance itself.
    pub(super) fn running(&mut self) -> &mut Running<State<H>> {
        &mut self.running
    }

    /// Fuel that the last call cost.
    pub(super) const fn fuel_used(&self) -> u64 {
        self.fuel_used
    }

    /// Linear memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.running.data().limiter.peak()
    }
}

/// A fault while the capsule was starting.
pub(super) fn in_init<R>(result: Result<R, Fault>) -> Fault {
    match result {
        Ok(_) => Fault::Declined,
        Err(fault) => Fault::Init(Box::new(fault)),
    }
}

fn fault(error: &Error, refused_memory: bool) -> Fault {
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
    Fault::Trapped(TrapReason::Other(text(error)))
}

fn text(error: &Error) -> String {
    clean(&alloc::format!("{error:#}"))
}
