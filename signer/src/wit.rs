//! The capsule WIT: whether a component is a capsule, and what it imports.

use std::sync::LazyLock;

use sealift_manifest::{Grants, Kind};
use wit_component::DecodedWasm;
use wit_parser::{
    Function, FunctionKind, InterfaceId, PackageId, Resolve, SourceMap, Type, TypeDefKind, World,
    WorldId, WorldItem,
};

use crate::error::{Error, Result, brief};

/// The package that the capsule worlds are in.
const CAPSULE_WIT: &str = include_str!("../../capsules/wit/capsule.wit");

/// The interfaces between capsule and device.
macro_rules! bindings {
    ($($file:literal),*) => {
        [$((
            $file,
            include_str!(concat!("../../capsules/wit/deps/ariel-wasm-bindings/", $file)),
        )),*]
    };
}

const BINDINGS: [(&str, &str); 7] = bindings![
    "coap.wit",
    "gpio.wit",
    "log.wit",
    "rng.wit",
    "sensors.wit",
    "time.wit",
    "udp.wit"
];

static WIT: LazyLock<(Resolve, PackageId)> = LazyLock::new(|| {
    parse().unwrap_or_else(|e| panic!("the WIT that is built into this program is broken: {e:#}"))
});

/// The world of an ephemeral capsule without its export.
static IMPORTS_ALONE: LazyLock<(Resolve, WorldId)> = LazyLock::new(|| {
    imports_alone()
        .unwrap_or_else(|e| panic!("the WIT that is built into this program is broken: {e:#}"))
});

fn imports_alone() -> anyhow::Result<(Resolve, WorldId)> {
    let (wit, package) = &*WIT;
    let mut wit = wit.clone();
    let id = wit.select_world(&[*package], Some(world(Kind::Ephemeral).0))?;
    if let Some(world) = wit.worlds.get_mut(id) {
        world.exports.clear();
    }
    Ok((wit, id))
}

fn parse() -> anyhow::Result<(Resolve, PackageId)> {
    let mut resolve = Resolve::default();
    let mut bindings = SourceMap::new();
    for (name, text) in BINDINGS {
        bindings.push_str(name, text);
    }
    let bindings = bindings.parse().map_err(|(_, e)| anyhow::anyhow!("{e}"))?;
    resolve
        .push_group(bindings)
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    let package = resolve.push_str("capsule.wit", CAPSULE_WIT)?;
    Ok((resolve, package))
}

/// The world that a capsule of this kind lives in, and the interface that it
/// exports.
const fn world(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Persistent => ("persistent", "ariel:wasm-bindings/coap-server-guest@0.0.1"),
        Kind::Ephemeral => ("ephemeral", "sealift:capsule/job@0.1.0"),
    }
}

/// Checks that a valid component is a capsule of this kind: that it exports
/// what it must and imports nothing that devices do not offer, all with the
/// types of the capsule WIT.
///
/// A persistent capsule exports the interface of a CoAP server. An ephemeral
/// one exports the job interface, or else nothing but functions outside of any
/// interface, as treVM's do; each of them takes nothing or one integer, and
/// returns nothing, an integer, a string or `list<u8>`.
///
/// Returns the grants that its imports need. An interface of which only plain
/// types are imported needs none: there is nothing to call.
///
/// # Errors
///
/// [`Error::NotACapsule`], [`Error::UnknownImport`], [`Error::MissingExport`],
/// [`Error::OtherExport`], [`Error::FunctionType`], [`Error::WrongTypes`].
pub(crate) fn check(component: &[u8], kind: Kind) -> Result<Grants> {
    let not_a_capsule = |e: anyhow::Error| Error::NotACapsule(brief(&*e));
    let (resolve, world_id) = match wit_component::decode(component).map_err(not_a_capsule)? {
        DecodedWasm::Component(resolve, world) => (resolve, world),
        DecodedWasm::WitPackage(..) => {
            return Err(Error::NotACapsule("it holds only WIT".into()));
        }
    };
    let this = resolve
        .worlds
        .get(world_id)
        .ok_or_else(|| Error::NotACapsule("it has no world".into()))?;

    let mut grants = Grants::default();
    for (key, item) in &this.imports {
        let name = resolve.name_world_key(key);
        let known = Grants::INTERFACES.iter().find(|(known, _)| *known == name);
        let (Some((_, grant)), WorldItem::Interface { id, .. }) = (known, item) else {
            return Err(Error::UnknownImport(name));
        };
        if is_more_than_types(&resolve, *id) {
            grants = grants.union(*grant);
        }
    }

    let (wit, id) = match shape(&resolve, this, kind)? {
        Shape::Interface => {
            let (wit, package) = &*WIT;
            let id = wit
                .select_world(&[*package], Some(world(kind).0))
                .map_err(not_a_capsule)?;
            (wit, id)
        }
        Shape::Functions => {
            let (wit, id) = &*IMPORTS_ALONE;
            (wit, *id)
        }
    };
    wit_component::targets(wit, id, component).map_err(|e| Error::WrongTypes(brief(&*e)))?;
    Ok(grants)
}

/// What a component exports to be a capsule.
#[derive(Debug, PartialEq, Eq)]
enum Shape {
    /// The interface of its kind.
    Interface,
    /// Functions outside of any interface, as treVM's ephemeral capsules do.
    Functions,
}

/// Whether the exports make this a capsule of that kind. The types in an
/// interface are not looked at here.
///
/// A persistent capsule may export more than devices use. One that runs once
/// exports either the job or functions: with both, nobody could say what
/// "running it" means.
fn shape(resolve: &Resolve, this: &World, kind: Kind) -> Result<Shape> {
    let (_, export) = world(kind);
    let exports = || {
        this.exports
            .iter()
            .map(|(key, item)| (resolve.name_world_key(key), item))
    };
    let other = |is_known: &dyn Fn(&(String, &WorldItem)) -> bool| {
        let mut others = exports().filter(|export| !is_known(export));
        match others.next() {
            Some((name, _)) => Err(Error::OtherExport(name)),
            None => Ok(()),
        }
    };

    if exports().any(|(name, _)| name == export) {
        if kind == Kind::Ephemeral {
            other(&|(name, _)| name == export)?;
        }
        return Ok(Shape::Interface);
    }
    let is_function = |item: &WorldItem| matches!(item, WorldItem::Function(_));
    if kind == Kind::Persistent || !exports().any(|(_, item)| is_function(item)) {
        return Err(Error::MissingExport {
            kind,
            export: export.to_owned(),
        });
    }
    other(&|(_, item)| is_function(item))?;
    for (name, item) in exports() {
        if let WorldItem::Function(function) = item
            && !can_be_called(resolve, function)
        {
            return Err(Error::FunctionType(name));
        }
    }
    Ok(Shape::Functions)
}

/// Whether a device can call this with a line of text, and hand back what it
/// returns.
fn can_be_called(resolve: &Resolve, function: &Function) -> bool {
    let params = match function.params.as_slice() {
        [] => true,
        [only] => is_integer(&only.ty),
        _ => false,
    };
    let result = match &function.result {
        None | Some(Type::String) => true,
        Some(Type::Id(id)) => resolve
            .types
            .get(*id)
            .is_some_and(|ty| matches!(ty.kind, TypeDefKind::List(Type::U8))),
        Some(ty) => is_integer(ty),
    };
    function.kind == FunctionKind::Freestanding && params && result
}

const fn is_integer(ty: &Type) -> bool {
    matches!(
        ty,
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::S8 | Type::S16 | Type::S32 | Type::S64
    )
}

fn is_more_than_types(resolve: &Resolve, id: InterfaceId) -> bool {
    let Some(interface) = resolve.interfaces.get(id) else {
        return true;
    };
    !interface.functions.is_empty()
        || interface.types.values().any(|id| {
            resolve
                .types
                .get(*id)
                .is_none_or(|ty| matches!(ty.kind, TypeDefKind::Resource))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wit_that_is_built_in_has_both_worlds_and_every_interface() {
        let (resolve, package) = &*WIT;
        for kind in [Kind::Persistent, Kind::Ephemeral] {
            let (name, export) = world(kind);
            let id = resolve
                .select_world(&[*package], Some(name))
                .expect("the world");
            let world = &resolve.worlds[id];
            let imports: Vec<_> = world
                .imports
                .keys()
                .map(|key| resolve.name_world_key(key))
                .collect();
            for (interface, _) in Grants::INTERFACES {
                assert!(imports.iter().any(|i| i == interface), "{interface}");
            }
            assert_eq!(imports.len(), Grants::INTERFACES.len());
            assert!(
                world
                    .exports
                    .keys()
                    .any(|key| resolve.name_world_key(key) == export)
            );
        }
    }
}
