//! The same component with shorter names inside.
//!
//! Core modules of a component import from each other by name, and the names
//! stay in the artifact, `cabi_realloc` and
//! `ariel:wasm-bindings/coap-server-guest@0.0.1#coap-run` among them. They are
//! compared with each other and with nothing else, so each becomes a letter,
//! the same one wherever it stands. What the component itself imports and
//! exports keeps its names.
//!
//! The names of fields, cases and parameters would stay in the artifact, too, and
//! those of imported types. Only a loader compares them, and they become letters: the
//! first of a type is `a`, the second `b`, as in the device's types
//! (`firmware/core/src/capsule/abi.rs`). That the types are those of the WIT was
//! checked before, with the names that it has.
//!
//! Imported types are those of the host's interfaces. What components inside of a
//! component take from each other keeps the names of its types, for one of them
//! would change and the other not. Where such a component gets an interface of the
//! host handed on, all types keep their names.
//!
//! It is done to the Wasm, before it is translated, so that what is translated
//! is valid Wasm, and checked as such.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use wasm_encoder::reencode::{
    Error as ReencodeError, Reencode, ReencodeComponent, component_utils,
};
use wasm_encoder::{
    Alias, Component, ComponentAliasSection, ComponentDefinedTypeEncoder, ComponentExportKind,
    ComponentFuncTypeEncoder, ExportSection, ImportSection, InstanceSection, InstanceType,
    ModuleArg,
};
use wasmparser::{
    ComponentAlias, ComponentDefinedType, ComponentExternalKind, ComponentFuncType,
    ComponentTypeRef, CoreType, Instance, InstanceTypeDeclaration, InstantiationArgKind, Parser,
    Payload, TypeBounds, VariantCase,
};

use crate::error::{Error, Result, brief};
use crate::wasm;

/// Shortens the names inside of a component that is valid, to those that a device
/// looks for. Part of [`translate`](crate::translate); by itself, for tests that
/// compile what no translator would.
///
/// # Errors
///
/// [`Error::InvalidWasm`], and [`Error::SelfCheck`] where what came out is not
/// valid.
pub fn slim(component: &[u8]) -> Result<Vec<u8>> {
    let slim = Slim::before(component)?;
    let shortest = slim.clone().apply(component)?;
    if wasm::validate(&shortest).is_ok() {
        return Ok(shortest);
    }
    let keeping = Slim {
        keep_types: true,
        ..slim
    };
    let slimmed = keeping.apply(component)?;
    wasm::validate(&slimmed).map_err(|error| Error::SelfCheck(error.to_string()))?;
    Ok(slimmed)
}

#[derive(Clone, Default)]
struct Slim {
    /// The names inside, and what became of them.
    names: HashMap<String, String>,
    /// Whether these are kept. There are types of core modules then, and modules that
    /// are imported or exported as such have names that others may know.
    keep: bool,
    /// The names by which core modules are asked for what they export.
    taken: HashSet<String>,
    /// The names of types that are imported, and what became of them.
    types: HashMap<String, String>,
    /// Whether these are kept.
    keep_types: bool,
    /// Of each instance of the outermost component, whether it is the host's.
    hosts: Vec<bool>,
    /// How many components, modules and types are around what is read.
    depth: usize,
}

impl Slim {
    /// What has to be known of a component before.
    fn before(component: &[u8]) -> Result<Self> {
        let invalid = |e: wasmparser::BinaryReaderError| Error::InvalidWasm(brief(&e));
        let mut slim = Self::default();
        let mut open = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(invalid)? {
                Payload::Version { .. } => open = open.saturating_add(1),
                Payload::End(_) => open = open.saturating_sub(1),
                Payload::ComponentImportSection(imports) if open == 1 => {
                    for import in imports {
                        if let ComponentTypeRef::Instance(_) = import.map_err(invalid)?.ty {
                            slim.hosts.push(true);
                        }
                    }
                }
                Payload::ComponentInstanceSection(instances) if open == 1 => {
                    for instance in instances {
                        instance.map_err(invalid)?;
                        slim.hosts.push(false);
                    }
                }
                Payload::ComponentExportSection(exports) if open == 1 => {
                    // An export has an index of its own.
                    for export in exports {
                        if export.map_err(invalid)?.kind == ComponentExternalKind::Instance {
                            slim.hosts.push(false);
                        }
                    }
                }
                Payload::CoreTypeSection(types) => {
                    for ty in types {
                        slim.keep |= matches!(ty.map_err(invalid)?, CoreType::Module(_));
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        slim.taken.insert(import.map_err(invalid)?.name.to_owned());
                    }
                }
                Payload::ComponentAliasSection(aliases) => {
                    for alias in aliases {
                        match alias.map_err(invalid)? {
                            ComponentAlias::CoreInstanceExport { name, .. } => {
                                slim.taken.insert(name.to_owned());
                            }
                            ComponentAlias::InstanceExport {
                                kind: ComponentExternalKind::Instance,
                                ..
                            } if open == 1 => slim.hosts.push(false),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(slim)
    }

    /// The component with shorter names.
    fn apply(mut self, component: &[u8]) -> Result<Vec<u8>> {
        let mut out = Component::new();
        self.parse_component(&mut out, Parser::new(0), component)
            .map_err(|e| Error::InvalidWasm(e.to_string()))?;
        Ok(out.finish())
    }

    /// Whether an instance is an import of the outermost component, which is being
    /// read.
    fn is_host(&self, instance: u32) -> bool {
        let index = usize::try_from(instance).ok();
        self.depth == 0 && index.and_then(|index| self.hosts.get(index)) == Some(&true)
    }

    /// The short form of a name inside.
    fn short(&mut self, name: &str) -> String {
        if self.keep {
            return name.to_owned();
        }
        let next = self.names.len();
        self.names
            .entry(name.to_owned())
            .or_insert_with(|| letters(next))
            .clone()
    }
}

/// `a` to `z`, then `aa`, `ba` and so on: each number has its own.
fn letters(mut number: usize) -> String {
    let mut letters = String::new();
    loop {
        letters.extend(('a'..='z').nth(number % 26));
        number /= 26;
        if number == 0 {
            return letters;
        }
        number -= 1;
    }
}

type Done = std::result::Result<(), ReencodeError<Infallible>>;

impl Reencode for Slim {
    type Error = Infallible;

    fn parse_imports(
        &mut self,
        section: &mut ImportSection,
        imports: wasmparser::Imports<'_>,
    ) -> Done {
        for import in imports {
            let (_, import) = import?;
            let (module, name) = (self.short(import.module), self.short(import.name));
            section.import(&module, &name, self.entity_type(import.ty)?);
        }
        Ok(())
    }

    fn parse_export(
        &mut self,
        section: &mut ExportSection,
        export: wasmparser::Export<'_>,
    ) -> Done {
        if !self.keep && !self.taken.contains(export.name) {
            return Ok(());
        }
        let name = self.short(export.name);
        let kind = self.export_kind(export.kind)?;
        section.export(&name, kind, self.external_index(export.kind, export.index)?);
        Ok(())
    }
}

/// So many names of fields, cases or parameters.
fn positions(count: usize) -> Vec<String> {
    (0..count).map(letters).collect()
}

impl ReencodeComponent for Slim {
    fn push_depth(&mut self) {
        self.depth = self.depth.saturating_add(1);
    }

    fn pop_depth(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn parse_component_func_type(
        &mut self,
        out: ComponentFuncTypeEncoder<'_>,
        func: ComponentFuncType<'_>,
    ) -> Done {
        let names = positions(func.params.len());
        let params = func.params.iter().zip(&names);
        let func = ComponentFuncType {
            async_: func.async_,
            params: params.map(|((_, ty), name)| (&**name, *ty)).collect(),
            result: func.result,
        };
        component_utils::parse_component_func_type(self, out, func)
    }

    fn parse_component_defined_type(
        &mut self,
        out: ComponentDefinedTypeEncoder<'_>,
        ty: ComponentDefinedType<'_>,
    ) -> Done {
        use ComponentDefinedType::{Enum, Flags, Record, Variant};

        let names = positions(match &ty {
            Record(fields) => fields.len(),
            Variant(cases) => cases.len(),
            Flags(names) | Enum(names) => names.len(),
            _ => 0,
        });
        let short = names.iter().map(String::as_str);
        let ty = match ty {
            Record(fields) => {
                let fields = fields.iter().zip(short);
                Record(fields.map(|((_, ty), name)| (name, *ty)).collect())
            }
            Variant(cases) => {
                let cases = cases.iter().zip(short);
                Variant(
                    cases
                        .map(|(case, name)| VariantCase { name, ty: case.ty })
                        .collect(),
                )
            }
            Flags(_) => Flags(short.collect()),
            Enum(_) => Enum(short.collect()),
            other => other,
        };
        component_utils::parse_component_defined_type(self, out, ty)
    }

    fn parse_component_instance_type_declaration(
        &mut self,
        out: &mut InstanceType,
        declaration: InstanceTypeDeclaration<'_>,
    ) -> Done {
        match declaration {
            InstanceTypeDeclaration::Export {
                name,
                ty: ty @ ComponentTypeRef::Type(TypeBounds::Eq(_)),
            } if self.depth == 1 && !self.keep_types => {
                let next = self.types.len();
                let short = self.types.entry(name.name.to_owned());
                let short = short.or_insert_with(|| letters(next)).clone();
                out.export(short.as_str(), self.component_type_ref(ty)?);
                Ok(())
            }
            other => component_utils::parse_component_instance_type_declaration(self, out, other),
        }
    }

    fn parse_instance(&mut self, instances: &mut InstanceSection, instance: Instance<'_>) -> Done {
        match instance {
            Instance::Instantiate { module_index, args } => {
                let args: Vec<_> = args
                    .iter()
                    .map(|arg| match arg.kind {
                        InstantiationArgKind::Instance => {
                            (self.short(arg.name), ModuleArg::Instance(arg.index))
                        }
                    })
                    .collect();
                instances.instantiate(module_index, args);
            }
            Instance::FromExports(exports) => {
                let mut items = Vec::new();
                for export in exports {
                    let kind = self.export_kind(export.kind)?;
                    items.push((self.short(export.name), kind, export.index));
                }
                instances.export_items(items);
            }
        }
        Ok(())
    }

    fn parse_component_alias_section(
        &mut self,
        aliases: &mut ComponentAliasSection,
        section: wasmparser::ComponentAliasSectionReader<'_>,
    ) -> Done {
        for alias in section {
            let alias = self.component_alias(alias?)?;
            match alias {
                Alias::CoreInstanceExport {
                    instance,
                    kind,
                    name,
                } => {
                    let name = &self.short(name);
                    aliases.alias(Alias::CoreInstanceExport {
                        instance,
                        kind,
                        name,
                    });
                }
                Alias::InstanceExport {
                    instance,
                    kind: ComponentExportKind::Type,
                    name,
                } if self.is_host(instance) => {
                    let name = self.types.get(name).map_or(name, String::as_str);
                    aliases.alias(Alias::InstanceExport {
                        instance,
                        kind: ComponentExportKind::Type,
                        name,
                    });
                }
                alias => {
                    aliases.alias(alias);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
