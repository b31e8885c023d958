//! Who may do what: peers are known by their credential, and a credential has
//! roles. What is not allowed is refused.

use alloc::vec::Vec;

use sealift_oscore::Credential;

/// What a credential may do; a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// None.
    pub const NONE: Self = Self(0);
    /// Status, install, run, confirm, roll back, remove.
    pub const DEPLOY: Self = Self(1);
    /// Status.
    pub const OBSERVE: Self = Self(1 << 1);
    /// The capsules' own resources.
    pub const USE: Self = Self(1 << 2);

    const NAMES: [(&'static str, Self); 3] = [
        ("deploy", Self::DEPLOY),
        ("observe", Self::OBSERVE),
        ("use", Self::USE),
    ];

    /// The role of this name: `deploy`, `observe` or `use`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let (_, role) = Self::NAMES.iter().find(|(known, _)| *known == name)?;
        Some(*role)
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether one of the roles in `any_of` is held.
    #[must_use]
    pub const fn has(self, any_of: Self) -> bool {
        self.0 & any_of.0 != 0
    }
}

/// The credentials that a device knows, and their roles.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    peers: Vec<(Credential, Roles)>,
}

impl Policy {
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

    /// The roles of the peer with this index; none if there is no such peer.
    #[must_use]
    pub fn roles(&self, peer: usize) -> Roles {
        self.peers
            .get(peer)
            .map_or(Roles::NONE, |(_, roles)| *roles)
    }
}

#[cfg(test)]
mod tests {
    use super::Roles;

    #[test]
    fn roles_do_not_imply_each_other() {
        for role in [Roles::DEPLOY, Roles::OBSERVE, Roles::USE] {
            for other in [Roles::DEPLOY, Roles::OBSERVE, Roles::USE] {
                assert_eq!(role.has(other), role == other);
            }
            assert!(!Roles::NONE.has(role));
        }
        assert!(Roles::USE.and(Roles::OBSERVE).has(Roles::USE));
        assert_eq!(Roles::from_name("root"), None);
    }
}
