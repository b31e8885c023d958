//! From a method and a path to an operation and the role that it needs.

use sealift_manifest::TRUST;
use sealift_oscore::coap::Code;
use sealift_wire::{CONFIRM, PAYLOAD, ROLLBACK, Refusal, VM_CONTROL, VM_RUN};

use crate::request::Request;
use crate::response::{CBOR, LINK_FORMAT, OCTETS};
use sealift_wire::Roles;

/// Method of a request (RFC 7252, 12.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Get),
            2 => Some(Self::Post),
            3 => Some(Self::Put),
            4 => Some(Self::Delete),
            _ => None,
        }
    }
}

/// What a request asks for. A number is that of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `GET /.well-known/core`
    Discover,
    /// `GET /vm-control`
    Status,
    /// `GET /vm-control/<vm>`
    ComponentStatus(usize),
    /// `PUT /vm-control/<vm>`
    Envelope(usize),
    /// `PUT /vm-control/<vm>/payload`
    Payload(usize),
    /// `POST /vm-control/<vm>/confirm`
    Confirm(usize),
    /// `POST /vm-control/<vm>/rollback`
    Rollback(usize),
    /// `DELETE /vm-control/<vm>`
    Remove(usize),
    /// `POST /vm-run`
    Run,
    /// Anything under `/<vm>`.
    Capsule(usize),
}

impl Operation {
    /// The operation that `method` on `path` asks for, of a device that has
    /// components of these names. A method code that is no method of ours is
    /// `None`; a capsule may know what to do with it.
    pub(crate) fn of(
        method: Option<Method>,
        path: &[&str],
        components: &[&str],
    ) -> Result<Self, Refusal> {
        use Method::{Delete, Get, Post, Put};

        let component = |name: &str| components.iter().position(|known| *known == name);
        let mut segments = path.iter().copied();
        let first = segments.next().unwrap_or_default();
        let rest = [segments.next(), segments.next(), segments.next()];
        if first == ".well-known" && rest == [Some("core"), None, None] {
            return only(method, Get, Self::Discover);
        }
        if first == VM_RUN && rest == [None; 3] {
            return only(method, Post, Self::Run);
        }
        if first != VM_CONTROL {
            return component(first).map(Self::Capsule).ok_or(Refusal::NotFound);
        }
        let [name, action, None] = rest else {
            return Err(Refusal::NotFound);
        };
        let Some(name) = name else {
            return only(method, Get, Self::Status);
        };
        // The trust record is behind the components, and can only be replaced.
        let trust = (name == TRUST).then_some(components.len());
        let vm = trust
            .or_else(|| component(name))
            .ok_or(Refusal::UnknownComponent)?;
        match (action, method) {
            (None, Some(Delete)) if trust.is_some() => Err(Refusal::MethodNotAllowed),
            (Some(CONFIRM | ROLLBACK), _) if trust.is_some() => Err(Refusal::NotFound),
            (None, Some(Get)) => Ok(Self::ComponentStatus(vm)),
            (None, Some(Put)) => Ok(Self::Envelope(vm)),
            (None, Some(Delete)) => Ok(Self::Remove(vm)),
            (None, _) => Err(Refusal::MethodNotAllowed),
            (Some(PAYLOAD), _) => only(method, Put, Self::Payload(vm)),
            (Some(CONFIRM), _) => only(method, Post, Self::Confirm(vm)),
            (Some(ROLLBACK), _) => only(method, Post, Self::Rollback(vm)),
            (Some(_), _) => Err(Refusal::NotFound),
        }
    }

    /// Whether it can be done again without doing anything.
    pub(crate) const fn only_reads(self) -> bool {
        matches!(
            self,
            Self::Discover | Self::Status | Self::ComponentStatus(_)
        )
    }

    /// The content format of its answers; `None` where capsules choose it.
    pub(crate) const fn format(self) -> Option<u32> {
        match self {
            Self::Discover => Some(LINK_FORMAT),
            Self::Run => Some(OCTETS),
            Self::Capsule(_) => None,
            _ => Some(CBOR),
        }
    }

    /// Whether a request that was held back and comes late could do harm: it
    /// does something, and nothing tells it from a new one.
    pub(crate) fn must_be_fresh(self, request: &Request<'_>) -> bool {
        // What is begun takes a place, and the last block does what all are for. A
        // block between them does nothing that the next one could not put right.
        let ends = request.is_first() || request.is_last();
        match self {
            Self::Discover | Self::Status | Self::ComponentStatus(_) => false,
            Self::Confirm(_) | Self::Rollback(_) | Self::Remove(_) => true,
            Self::Envelope(_) | Self::Payload(_) | Self::Run => ends,
            Self::Capsule(_) => ends && !matches!(request.code, Code::GET | Code::FETCH),
        }
    }

    /// The roles of which a peer must have one; `None` where any known peer
    /// will do.
    pub(crate) const fn needs(self) -> Option<Roles> {
        match self {
            Self::Discover => None,
            Self::Status | Self::ComponentStatus(_) => Some(Roles::DEPLOY.and(Roles::OBSERVE)),
            Self::Envelope(_)
            | Self::Payload(_)
            | Self::Confirm(_)
            | Self::Rollback(_)
            | Self::Remove(_)
            | Self::Run => Some(Roles::DEPLOY),
            Self::Capsule(_) => Some(Roles::USE),
        }
    }
}

fn only(
    method: Option<Method>,
    wanted: Method,
    operation: Operation,
) -> Result<Operation, Refusal> {
    if method == Some(wanted) {
        Ok(operation)
    } else {
        Err(Refusal::MethodNotAllowed)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn route(method: Method, path: &str) -> Result<Operation, Refusal> {
        let path: Vec<&str> = path.split('/').skip(1).collect();
        Operation::of(Some(method), &path, &["vm1", "vm2"])
    }

    #[test]
    fn each_resource_is_found_by_its_method_and_path() {
        use Method::{Delete, Get, Post, Put};
        let table = [
            (Get, "/.well-known/core", Operation::Discover),
            (Get, "/vm-control", Operation::Status),
            (Get, "/vm-control/vm2", Operation::ComponentStatus(1)),
            (Put, "/vm-control/vm1", Operation::Envelope(0)),
            (Put, "/vm-control/vm1/payload", Operation::Payload(0)),
            (Post, "/vm-control/vm1/confirm", Operation::Confirm(0)),
            (Post, "/vm-control/vm1/rollback", Operation::Rollback(0)),
            (Delete, "/vm-control/vm1", Operation::Remove(0)),
            (Post, "/vm-run", Operation::Run),
            (Get, "/vm1", Operation::Capsule(0)),
            (Put, "/vm2/a/b/c/d/e", Operation::Capsule(1)),
            (Get, "/vm-control/trust", Operation::ComponentStatus(2)),
            (Put, "/vm-control/trust", Operation::Envelope(2)),
            (Put, "/vm-control/trust/payload", Operation::Payload(2)),
        ];
        for (method, path, operation) in table {
            assert_eq!(route(method, path), Ok(operation), "{path}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        use Method::{Delete, Get, Post, Put};
        let table = [
            (Get, "/", Refusal::NotFound),
            (Get, "/vm3", Refusal::NotFound),
            (Get, "/.well-known", Refusal::NotFound),
            (Get, "/vm-control/vm3", Refusal::UnknownComponent),
            (Get, "/vm-control/vm1/other", Refusal::NotFound),
            (Put, "/vm-control/vm1/payload/x", Refusal::NotFound),
            (Post, "/vm-control/vm1", Refusal::MethodNotAllowed),
            (Get, "/vm-control/vm1/confirm", Refusal::MethodNotAllowed),
            (Delete, "/vm-control", Refusal::MethodNotAllowed),
            (Get, "/vm-run", Refusal::MethodNotAllowed),
            // Nobody goes back to keys that were revoked.
            (Delete, "/vm-control/trust", Refusal::MethodNotAllowed),
            (Post, "/vm-control/trust/rollback", Refusal::NotFound),
            (Post, "/vm-control/trust/confirm", Refusal::NotFound),
            (Get, "/trust", Refusal::NotFound),
        ];
        for (method, path, refusal) in table {
            assert_eq!(route(method, path), Err(refusal), "{path}");
        }
    }

    #[test]
    fn a_user_of_capsules_does_not_deploy() {
        assert!(!Roles::USE.has(Operation::Envelope(0).needs().unwrap()));
        assert!(!Roles::OBSERVE.has(Operation::Run.needs().unwrap()));
        assert!(Roles::OBSERVE.has(Operation::Status.needs().unwrap()));
        assert!(!Roles::DEPLOY.has(Operation::Capsule(0).needs().unwrap()));
    }
}
