//! The same calls, made by Wasmtime in machine code of this computer.
//!
//! It has the engine profile's settings, but for the target and the optimiser:
//! what Cranelift makes of a module here and what it makes of it for Pulley
//! have its front end in common, and little else.

use std::sync::LazyLock;

use sealift_engine::{HOST, translator_config};
use wasmtime::{
    Engine, Error, Extern, ExternType, Func, Instance, Linker, Module, OptLevel, Ref,
    ResourceLimiter, Store, Trap, Val, ValType,
};

use crate::calls::{Argument, Exports, Run, write_float, write_number};
use crate::wrap::{SUPPORT, hash};
use crate::{FUEL, MEMORY, Outcome};

/// Sixteen times what a device has here, and half of what a thread has.
const STACK: usize = 1024 * 1024;

/// What a device allows; see `sealift_core::capsule`, `limits.rs`.
const MAX_TABLE: usize = 4096;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut config = translator_config(HOST);
    config
        .target(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .and_then(|config| {
            config
                .async_stack_size(STACK)
                .max_wasm_stack(STACK)
                .cranelift_opt_level(OptLevel::None);
            Engine::new(config)
        })
        .expect("an engine for this computer")
});

static SUPPORT_MODULE: LazyLock<Module> = LazyLock::new(|| {
    let wasm = wat::parse_str(SUPPORT).expect("valid text");
    Module::new(&ENGINE, wasm).expect("a valid module")
});

/// A module as machine code.
pub struct Oracle(Module);

/// What a store holds: the limits of a device.
#[derive(Default)]
struct Limits {
    refused: bool,
}

impl Limits {
    fn decide(&mut self, fits: bool) -> wasmtime::Result<bool> {
        self.refused |= !fits;
        Ok(fits)
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.decide(desired <= MEMORY && maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn memory_grow_failed(&mut self, _: Error) -> wasmtime::Result<()> {
        self.refused = true;
        Ok(())
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.decide(desired <= MAX_TABLE && maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn table_grow_failed(&mut self, _: Error) -> wasmtime::Result<()> {
        self.refused = true;
        Ok(())
    }
}

impl Oracle {
    /// Compiles a module.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    pub fn compile(wasm: &[u8]) -> Result<Self, String> {
        let module = Module::from_binary(&ENGINE, wasm);
        module.map(Self).map_err(|error| format!("{error:#}"))
    }

    /// Whether it imports anything.
    pub fn imports(&self) -> bool {
        self.0.imports().len() > 0
    }

    /// What it exports.
    pub fn exports(&self) -> Exports {
        let mut exports = Exports::default();
        for export in self.0.exports() {
            let name = export.name().to_owned();
            match export.ty() {
                ExternType::Func(ty) => exports.functions.push((name, ty)),
                ExternType::Global(ty) => exports.globals.push((name, ty)),
                ExternType::Table(ty) => exports.tables.push((name, ty)),
                ExternType::Memory(ty) => exports.memory = Some((name, ty.page_size())),
                ExternType::Tag(_) => {}
            }
        }
        exports
    }

    /// Makes the calls in an instance of their own, and says what it came to
    /// and the fuel that it took.
    ///
    /// # Errors
    ///
    /// What ended it that is none of the outcomes.
    pub fn run(&self, run: &Run) -> Result<(Outcome, u64), String> {
        let mut store = Store::new(&ENGINE, Limits::default());
        store.limiter(|limits| limits);
        store.set_fuel(FUEL).expect("fuel is on");
        let result = match self.instantiate(&mut store) {
            Ok(instance) => self.call(&mut store, instance, run),
            Err(error) => outcome(&store, &error).map(|what| Outcome::InStart(Box::new(what))),
        };
        let left = store.get_fuel().expect("fuel is on");
        result.map(|outcome| (outcome, FUEL - left))
    }

    fn instantiate(&self, store: &mut Store<Limits>) -> wasmtime::Result<Instance> {
        let mut linker = Linker::new(&ENGINE);
        if self.imports() {
            linker.module(&mut *store, "support", &SUPPORT_MODULE)?;
        }
        linker.instantiate(store, &self.0)
    }

    fn call(
        &self,
        store: &mut Store<Limits>,
        instance: Instance,
        run: &Run,
    ) -> Result<Outcome, String> {
        let exports = self.exports();
        let mut output = Vec::new();
        for call in &run.0 {
            let (name, ty) = &exports.functions[call.function];
            let function = instance
                .get_func(&mut *store, name)
                .expect("it is exported");
            let arguments: Vec<_> = call.arguments.iter().map(value).collect();
            let mut results = vec![Val::I32(0); ty.results().len()];
            if let Err(error) = function.call(&mut *store, &arguments, &mut results) {
                return outcome(store, &error);
            }
            results.iter().for_each(|value| write(&mut output, value));
        }
        for (name, _) in &exports.globals {
            let global = instance
                .get_global(&mut *store, name)
                .expect("it is exported");
            write(&mut output, &global.get(&mut *store));
        }
        for (name, _) in &exports.tables {
            let table = instance
                .get_table(&mut *store, name)
                .expect("it is exported");
            write_number(&mut output, table.size(&mut *store));
        }
        if let Some((name, _)) = &exports.memory {
            let memory = instance.get_export(&mut *store, name);
            let Some(Extern::Memory(memory)) = memory else {
                return Err("the memory is gone".into());
            };
            write_number(&mut output, memory.data_size(&*store) as u64);
            write_number(&mut output, hash(memory.data(&*store)));
        }
        Ok(Outcome::Output(output))
    }
}

fn value(argument: &Argument) -> Val {
    match argument.ty {
        ValType::I32 => Val::I32((argument.bits as u32).cast_signed()),
        ValType::I64 => Val::I64(argument.bits.cast_signed()),
        ValType::F32 => Val::F32(argument.bits as u32),
        ValType::F64 => Val::F64(argument.bits),
        _ => Val::FuncRef(None::<Func>),
    }
}

fn write(output: &mut Vec<u8>, value: &Val) {
    match value {
        Val::I32(number) => write_number(output, u64::from(number.cast_unsigned())),
        Val::I64(number) => write_number(output, number.cast_unsigned()),
        Val::F32(bits) => write_float(output, f64::from(f32::from_bits(*bits)), u64::from(*bits)),
        Val::F64(bits) => write_float(output, f64::from_bits(*bits), *bits),
        other => {
            let null = other
                .ref_()
                .is_none_or(|reference: Ref| reference.is_null());
            write_number(output, u64::from(null));
        }
    }
}

fn outcome(store: &Store<Limits>, error: &Error) -> Result<Outcome, String> {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Ok(Outcome::OutOfFuel),
        Some(Trap::StackOverflow) => Ok(Outcome::OutOfStack),
        Some(_) if store.data().refused => Ok(Outcome::Refused),
        Some(trap) => Ok(Outcome::Trap(*trap)),
        None => Err(format!("the oracle fails: {error:#}")),
    }
}
