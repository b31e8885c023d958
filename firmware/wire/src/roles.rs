//! What peers may do.

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
    const ALL: Self = Self::DEPLOY.and(Self::OBSERVE).and(Self::USE);

    /// The role of this name: `deploy`, `observe` or `use`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let (_, role) = Self::NAMES.iter().find(|(known, _)| *known == name)?;
        Some(*role)
    }

    /// The names of the roles in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let held = Self::NAMES.into_iter();
        held.filter(move |(_, role)| self.has(*role))
            .map(|(name, _)| name)
    }

    /// The set as bits, for a record.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set with these bits; `None` for a role that does not exist.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits & !Self::ALL.0 {
            0 => Some(Self(bits)),
            _ => None,
        }
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
            assert_eq!(Roles::from_bits(role.bits()), Some(role));
        }
        assert!(Roles::USE.and(Roles::OBSERVE).has(Roles::USE));
        assert_eq!(Roles::from_name("root"), None);
        assert_eq!(Roles::from_bits(8), None);
    }
}
