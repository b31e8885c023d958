//! The capsule WIT: whether a component is a capsule, and what it imports.

use std::sync::LazyLock;

use sealift_manifest::{Grants, Kind};
use wit_component::DecodedWasm;
use wit_parser::{InterfaceId, PackageId, Resolve, SourceMap, TypeDefKind, WorldItem};

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

/// The world that a capsule of this kind lives in, and the interface it must
/// export.
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
/// Returns the grants that its imports need. An interface of which only plain
/// types are imported needs none: there is nothing to call.
///
/// # Errors
///
/// [`Error::NotACapsule`], [`Error::UnknownImport`], [`Error::MissingExport`],
/// [`Error::WrongTypes`].
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

    let (world, export) = world(kind);
    let exports = |name: &str| {
        this.exports
            .keys()
            .any(|key| resolve.name_world_key(key) == name)
    };
    if !exports(export) {
        return Err(Error::MissingExport {
            kind,
            export: export.to_owned(),
        });
    }

    let (capsule_wit, package) = &*WIT;
    let world = capsule_wit
        .select_world(&[*package], Some(world))
        .map_err(not_a_capsule)?;
    wit_component::targets(capsule_wit, world, component)
        .map_err(|e| Error::WrongTypes(brief(&*e)))?;
    Ok(grants)
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
