//! The one place where bytes become code.
//!
//! Nothing here hands out a [`Component`] or a [`Store`], because a clone of
//! either could outlive the bytes that it points to. An [`Error`] can hold a
//! part of one, its backtrace: who gets it makes a text of it and drops it
//! while the [`Running`] is there.
//!
//! [`Error`]: wasmtime::Error
#![expect(
    unsafe_code,
    reason = "`deserialize_raw` trusts the bytes; the argument's type says that they were checked"
)]

use core::ptr::NonNull;

use sealift_manifest::{Payload, Verified};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Lift, Linker, Lower, TypedFunc,
};
#[cfg(feature = "jobs")]
use wasmtime::component::{
    Func,
    types::{ComponentFunc, ComponentItem},
};
use wasmtime::{AsContextMut, Engine, Result, Store, StoreContextMut};

use super::ArtifactBytes;
use super::fault::Fault;
use super::runtime::text;

/// A loaded artifact, with the bytes that it lies in.
///
/// Fields drop in this order: the bytes last.
///
/// `P` is the payload, or a reference to it for as long as it is looked at.
pub(super) struct Loaded<P = Verified<Payload<ArtifactBytes>>> {
    component: Component,
    _payload: P,
}

/// The payload or a reference to it; no other type.
pub(super) trait Held {
    fn payload(&self) -> &Verified<Payload<ArtifactBytes>>;
}

impl Held for Verified<Payload<ArtifactBytes>> {
    fn payload(&self) -> &Self {
        self
    }
}

impl Held for &Verified<Payload<ArtifactBytes>> {
    fn payload(&self) -> &Verified<Payload<ArtifactBytes>> {
        self
    }
}

impl<P: Held> Loaded<P> {
    /// Loads an artifact in place.
    ///
    /// Wasmtime's own check of the header comes after the seal, which refuses
    /// what that would not see.
    pub(super) fn new(engine: &Engine, payload: P) -> Result<Self, Fault> {
        let bytes = payload.payload().as_ref();
        if !sealift_engine::is_sealed(sealift_engine::HOST, bytes) {
            return Err(Fault::Unsealed);
        }
        let memory = NonNull::from(bytes);
        // SAFETY: `deserialize_raw` asks for two things.
        //
        // The bytes were written by `Component::serialize` or its like.
        // `Verified<Payload<_>>` is made by `Verified<Manifest>::admit` alone,
        // which compares length and SHA-256 of these very bytes with a
        // manifest that carries a signature by a trusted translator, and a
        // translator signs nothing but what it has itself just compiled. Where
        // it was mistaken, the seal says so. That they were compiled by this
        // version and with these settings, Wasmtime checks.
        //
        // They stay in place and unchanged as long as the component lives.
        // `ArtifactBytes` keeps them at one address, even when it is moved,
        // and has no way to change them; the payload is behind `component` in
        // this struct and in `Running`, or borrowed for the life of this
        // struct, so it is there for longer, and no clone of the component
        // leaves this module.
        let component = unsafe { Component::deserialize_raw(engine, memory) }
            .map_err(|error| Fault::Load(text(&error)))?;
        Ok(Self {
            component,
            _payload: payload,
        })
    }

    /// The engine that it is loaded for.
    pub(super) fn engine(&self) -> &Engine {
        self.component.engine()
    }

    /// Calls `each` with the names of all imports, as long as it is true.
    pub(super) fn imports(&self, mut each: impl FnMut(&str) -> bool) {
        let engine = self.component.engine();
        let _ = self
            .component
            .component_type()
            .imports(engine)
            .all(|(name, _)| each(name));
    }

    /// Calls `each` with the functions that it exports outside of any
    /// interface.
    #[cfg(feature = "jobs")]
    pub(super) fn functions(&self, mut each: impl FnMut(&str, &ComponentFunc)) {
        let engine = self.component.engine();
        for (name, export) in self.component.component_type().exports(engine) {
            if let ComponentItem::ComponentFunc(ty) = &export.ty {
                each(name, ty);
            }
        }
    }

    /// Whether it exports this function of this interface.
    pub(super) fn exports(&self, interface: &str, function: &str) -> bool {
        export(&self.component, interface, function).is_some()
    }
}

/// An instance, with the artifact that it runs.
///
/// Fields drop in this order: the bytes last.
pub(super) struct Running<T: 'static> {
    store: Store<T>,
    instance: Option<wasmtime::component::Instance>,
    loaded: Loaded,
}

impl<T: Send + 'static> Running<T> {
    /// An artifact with a store, not instantiated yet.
    pub(super) fn new(loaded: Loaded, data: T) -> Self {
        let store = Store::new(loaded.component.engine(), data);
        Self {
            store,
            instance: None,
            loaded,
        }
    }

    /// Sets up limits that need the store itself. After `slice` units of fuel,
    /// code of the capsule yields.
    pub(super) fn configure(
        &mut self,
        hostcall_fuel: usize,
        slice: u64,
        limiter: fn(&mut T) -> &mut dyn wasmtime::ResourceLimiter,
    ) -> Result<()> {
        self.store.limiter(limiter);
        self.store.set_hostcall_fuel(hostcall_fuel);
        // No resource of ours is ever handed out.
        self.store.set_max_component_handles(16);
        self.store.fuel_async_yield_interval(Some(slice))
    }

    /// Instantiates; may run code of the capsule.
    pub(super) async fn instantiate(&mut self, linker: &Linker<T>) -> Result<()> {
        let component = &self.loaded.component;
        let instance = linker.instantiate_async(&mut self.store, component).await?;
        self.instance = Some(instance);
        Ok(())
    }

    /// An exported function; `None` where there is none of that name and type.
    pub(super) fn function<P, R>(
        &mut self,
        interface: &str,
        function: &str,
    ) -> Option<TypedFunc<P, R>>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let index = export(&self.loaded.component, interface, function)?;
        self.instance?
            .get_typed_func::<P, R>(&mut self.store, index)
            .ok()
    }

    /// A function that is exported outside of any interface, and how many
    /// results it has.
    #[cfg(feature = "jobs")]
    pub(super) fn root_function(&mut self, name: &str) -> Option<(Func, usize)> {
        let function = self.instance?.get_func(&mut self.store, name)?;
        let results = function.ty(&self.store).results().len();
        Some((function, results))
    }

    /// The artifact that it runs.
    pub(super) const fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The store, to call functions with.
    pub(super) fn context(&mut self) -> StoreContextMut<'_, T> {
        self.store.as_context_mut()
    }

    /// What the store holds.
    pub(super) fn data(&self) -> &T {
        self.store.data()
    }
}

fn export(component: &Component, interface: &str, function: &str) -> Option<ComponentExportIndex> {
    let interface = component.get_export_index(None, interface)?;
    component.get_export_index(Some(&interface), function)
}
