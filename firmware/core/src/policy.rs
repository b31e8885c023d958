//! Who may do what: peers are known by their credential, and a credential has
//! roles. What is not allowed is refused.

use alloc::vec::Vec;

use sealift_oscore::Credential;
use sealift_wire::Roles;

/// The credentials that a device knows, and their roles.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    peers: Vec<(Credential, Roles)>,
}

impl Policy {
    /// These credentials, each with its roles.
    #[must_use]
    pub fn new(peers: Vec<(Roles, Credential)>) -> Self {
        let mut policy = Self::default();
        for (roles, credential) in peers {
            policy.allow(credential, roles);
        }
        policy
    }

    /// Gives a credential a role, besides those that it has.
    pub fn allow(&mut self, credential: Credential, role: Roles) {
        let known = self.peers.iter_mut().find(|(peer, _)| *peer == credential);
        match known {
            Some((_, roles)) => *roles = roles.and(role),
            None => self.peers.push((credential, role)),
        }
    }

    /// The credentials, in the order that [`Policy::roles`] counts them.
    pub fn credentials(&self) -> impl Iterator<Item = &Credential> {
        self.peers.iter().map(|(credential, _)| credential)
    }

    /// The credential of the peer with this index.
    pub(crate) fn credential(&self, peer: usize) -> Option<&Credential> {
        self.credentials().nth(peer)
    }

    /// The roles of the peer with this index; none if there is no such peer.
    #[must_use]
    pub fn roles(&self, peer: usize) -> Roles {
        self.peers
            .get(peer)
            .map_or(Roles::NONE, |(_, roles)| *roles)
    }
}
