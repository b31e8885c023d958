//! What a component needs of a device as soon as it is instantiated, found
//! without running anything of it.
//!
//! A device gives every capsule so many core instances, tables and memories.
//! One that has more would be signed, sent, and then not start.
//!
//! Where a component calls another one, Wasmtime writes a core module between
//! them, and that is instantiated, too. How many it writes is found out here
//! without asking it, and can come out too high, never too low.

use sealift_engine::{MAX_INSTANCES, MAX_MEMORIES, MAX_TABLE, MAX_TABLES};
use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Encoding, Instance, Parser, Payload,
};

use crate::error::{Error, Result, brief};

/// How often components may be instantiated, all together. A translator follows
/// each instance, and a few components that instantiate each other twice would
/// keep it busy for ever.
const MAX_COMPONENTS: usize = 64;

/// What one instance of a component or of a core module needs, with all that
/// it instantiates in turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Components that are instantiated in it.
    pub(crate) components: u64,
    /// Core modules that are instantiated, at the most.
    pub(crate) instances: u64,
    /// Linear memories.
    pub(crate) memories: u64,
    /// Bytes of linear memory at the start, in all.
    pub(crate) memory: u64,
    /// Tables.
    pub(crate) tables: u64,
    /// Elements of all at the start, and of the largest one.
    pub(crate) elements: u64,
    pub(crate) largest_table: u64,
}

impl Needs {
    fn add(&mut self, other: Self) {
        self.components = self.components.saturating_add(other.components);
        self.instances = self.instances.saturating_add(other.instances);
        self.memories = self.memories.saturating_add(other.memories);
        self.memory = self.memory.saturating_add(other.memory);
        self.tables = self.tables.saturating_add(other.tables);
        self.elements = self.elements.saturating_add(other.elements);
        self.largest_table = self.largest_table.max(other.largest_table);
    }

    /// Checks that it can be translated and that any device gives as much.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyComponents`], and [`Error::TooMany`]: the first of them that
    /// is too many.
    pub(crate) fn check(&self) -> Result<()> {
        if usize::try_from(self.components).map_or(true, |needed| needed > MAX_COMPONENTS) {
            return Err(Error::TooManyComponents {
                needed: self.components,
                limit: MAX_COMPONENTS,
            });
        }
        for (what, needed, limit) in [
            ("core instances", self.instances, MAX_INSTANCES),
            ("memories", self.memories, MAX_MEMORIES),
            ("tables", self.tables, MAX_TABLES),
            ("elements in a table", self.largest_table, MAX_TABLE),
        ] {
            if usize::try_from(needed).is_ok_and(|needed| needed <= limit) {
                continue;
            }
            return Err(Error::TooMany {
                what,
                needed,
                limit,
            });
        }
        Ok(())
    }
}

/// A component or core module that is being read.
struct Scope {
    encoding: Encoding,
    /// What an instance of it needs, as far as it was read.
    needs: Needs,
    /// The modules and components that it can instantiate, by index; `None`
    /// where they come from outside.
    modules: Vec<Option<Needs>>,
    components: Vec<Option<Needs>>,
    /// Whether it has functions, as far as it was read, that are not the host's.
    callable: bool,
    /// Whether one was taken for core modules to call since the last of these was
    /// instantiated.
    taken: bool,
}

/// What an instance of a valid component needs.
///
/// # Errors
///
/// [`Error::InvalidWasm`], and [`Error::NotACapsule`] where it instantiates
/// what it does not contain.
pub(crate) fn of(component: &[u8]) -> Result<Needs> {
    let mut scopes: Vec<Scope> = Vec::new();
    let mut whole = Needs::default();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(|e| Error::InvalidWasm(brief(&e)))?;
        match payload {
            Payload::Version { encoding, .. } => scopes.push(Scope::new(encoding)),
            Payload::End(_) => {
                let Some(scope) = scopes.pop() else { continue };
                match scopes.last_mut() {
                    None => whole = scope.needs,
                    Some(outer) if scope.encoding == Encoding::Module => {
                        outer.modules.push(Some(scope.needs));
                    }
                    Some(outer) => outer.components.push(Some(scope.needs)),
                }
            }
            payload => {
                if let Some((scope, outer)) = scopes.split_last_mut() {
                    scope.read(outer, payload)?;
                }
            }
        }
    }
    Ok(whole)
}

impl Scope {
    fn new(encoding: Encoding) -> Self {
        let instances = u64::from(encoding == Encoding::Module);
        Self {
            encoding,
            needs: Needs {
                instances,
                ..Needs::default()
            },
            modules: Vec::new(),
            components: Vec::new(),
            callable: false,
            taken: false,
        }
    }

    /// Takes in that a core module is instantiated.
    fn instantiate(&mut self, module: u32, has_arguments: bool) -> Result<()> {
        self.needs.add(at(&self.modules, module)?);
        self.taken &= !has_arguments;
        Ok(())
    }

    /// Takes in that a component is instantiated.
    fn instantiate_component(&mut self, component: u32) -> Result<()> {
        self.callable = true;
        self.needs.add(at(&self.components, component)?);
        self.needs.add(Needs {
            components: 1,
            ..Needs::default()
        });
        Ok(())
    }

    /// Takes in a function that goes from components to core modules or back.
    ///
    /// Those that core modules call in other components are gathered in one module,
    /// until one of them could need what another has made. That takes a core module
    /// that was instantiated in between.
    fn canonical(&mut self, is_inside: bool, function: &CanonicalFunction) {
        match function {
            CanonicalFunction::Lift { .. } => self.callable = true,
            CanonicalFunction::Lower { .. } if !self.taken && (self.callable || is_inside) => {
                self.taken = true;
                self.needs.add(Needs {
                    instances: 1,
                    ..Needs::default()
                });
            }
            _ => {}
        }
    }

    /// Takes in a section; `outer` are the scopes around this one.
    fn read(&mut self, outer: &[Self], payload: Payload<'_>) -> Result<()> {
        let invalid = |e: wasmparser::BinaryReaderError| Error::InvalidWasm(brief(&e));
        match payload {
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let memory = memory.map_err(invalid)?;
                    let page = 1u64 << memory.page_size_log2.unwrap_or(16).min(16);
                    self.needs.add(Needs {
                        memories: 1,
                        memory: memory.initial.saturating_mul(page),
                        ..Needs::default()
                    });
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    let elements = table.map_err(invalid)?.ty.initial;
                    self.needs.add(Needs {
                        tables: 1,
                        elements,
                        largest_table: elements,
                        ..Needs::default()
                    });
                }
            }
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    if let Instance::Instantiate { module_index, args } =
                        instance.map_err(invalid)?
                    {
                        self.instantiate(module_index, !args.is_empty())?;
                    }
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances {
                    let instance = instance.map_err(invalid)?;
                    if let ComponentInstance::Instantiate {
                        component_index, ..
                    } = instance
                    {
                        self.instantiate_component(component_index)?;
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    self.canonical(!outer.is_empty(), &function.map_err(invalid)?);
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    self.alias(outer, &alias.map_err(invalid)?);
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    match import.map_err(invalid)?.ty {
                        ComponentTypeRef::Module(_) => self.modules.push(None),
                        ComponentTypeRef::Component(_) => self.components.push(None),
                        _ => {}
                    }
                }
            }
            Payload::ComponentExportSection(exports) => {
                // An export has an index of its own.
                for export in exports {
                    let export = export.map_err(invalid)?;
                    match export.kind {
                        ComponentExternalKind::Module => {
                            let same = at(&self.modules, export.index).ok();
                            self.modules.push(same);
                        }
                        ComponentExternalKind::Component => {
                            let same = at(&self.components, export.index).ok();
                            self.components.push(same);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn alias(&mut self, outer: &[Self], alias: &ComponentAlias<'_>) {
        match alias {
            ComponentAlias::InstanceExport { kind, .. } => match kind {
                ComponentExternalKind::Module => self.modules.push(None),
                ComponentExternalKind::Component => self.components.push(None),
                _ => {}
            },
            ComponentAlias::Outer { kind, count, index } => {
                let from = match usize::try_from(*count) {
                    Ok(0) => Some(&*self),
                    Ok(count) => outer.len().checked_sub(count).and_then(|at| outer.get(at)),
                    Err(_) => None,
                };
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let known = from.and_then(|from| at(&from.modules, *index).ok());
                        self.modules.push(known);
                    }
                    ComponentOuterAliasKind::Component => {
                        let known = from.and_then(|from| at(&from.components, *index).ok());
                        self.components.push(known);
                    }
                    _ => {}
                }
            }
            ComponentAlias::CoreInstanceExport { .. } => {}
        }
    }
}

fn at(known: &[Option<Needs>], index: u32) -> Result<Needs> {
    let entry = usize::try_from(index).ok().and_then(|at| known.get(at));
    entry.copied().flatten().ok_or_else(|| {
        Error::NotACapsule("it instantiates something that it does not contain".into())
    })
}

#[cfg(test)]
mod tests;
