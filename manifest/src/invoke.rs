//! What SUIT has no field for: how the runtime has to run a capsule.

use core::fmt;

use crate::Error;
use crate::authentication::MAX_SIGNATURES;
use crate::cbor::Reader;
use crate::labels::args;

/// The longest engine profile name, in bytes.
pub const MAX_PROFILE: usize = 64;

/// The arguments for the runtime: the `invoke-args` of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvokeArgs<'a> {
    /// The engine profile that the payload is translated for: 1 to
    /// [`MAX_PROFILE`] printable ASCII characters.
    pub profile: &'a str,
    /// Fuel for each call.
    pub fuel: u64,
    /// The most linear memory, in bytes.
    pub memory: u32,
    /// The most stack, in bytes.
    pub stack: u32,
    /// What the capsule may import.
    pub grants: Grants,
    /// How long the capsule lives.
    pub kind: Kind,
    /// The lowest sequence number that may run here once this capsule is
    /// confirmed. Not above the manifest's own sequence number.
    pub floor: u64,
    /// SHA-256 of the Wasm that the payload was translated from.
    pub source_digest: [u8; 32],
    /// How many translators have to sign, each with a key of its own: 1 to
    /// [`MAX_SIGNATURES`]. A device may ask for more.
    pub signatures: u8,
}

/// How long a capsule lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Installed; answers requests until it is removed.
    Persistent = 0,
    /// Run once, to completion.
    Ephemeral = 1,
}

/// A set of host interfaces that a capsule may import.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Grants(u32);

impl Grants {
    /// No interface.
    pub const NONE: Self = Self(0);
    /// `log-api`.
    pub const LOG: Self = Self(1);
    /// `rng-api`.
    pub const RNG: Self = Self(1 << 1);
    /// `time-api`.
    pub const TIME: Self = Self(1 << 2);
    /// `sensors-api`.
    pub const SENSORS: Self = Self(1 << 3);
    /// `gpio-api`.
    pub const GPIO: Self = Self(1 << 4);
    /// `udp-api`.
    pub const UDP: Self = Self(1 << 5);
    /// Every interface.
    pub const ALL: Self = Self((1 << 6) - 1);

    /// The host interfaces of the capsule WIT, and the grant that each needs.
    pub const INTERFACES: [(&'static str, Self); 6] = [
        ("ariel:wasm-bindings/log-api@0.0.1", Self::LOG),
        ("ariel:wasm-bindings/rng-api@0.0.1", Self::RNG),
        ("ariel:wasm-bindings/time-api@0.0.1", Self::TIME),
        ("ariel:wasm-bindings/sensors-api@0.0.1", Self::SENSORS),
        ("ariel:wasm-bindings/gpio-api@0.0.1", Self::GPIO),
        ("ariel:wasm-bindings/udp-api@0.0.1", Self::UDP),
    ];

    const NAMES: [(&'static str, Self); 6] = [
        ("log", Self::LOG),
        ("rng", Self::RNG),
        ("time", Self::TIME),
        ("sensors", Self::SENSORS),
        ("gpio", Self::GPIO),
        ("udp", Self::UDP),
    ];

    /// The set as the bit field that stands in a manifest.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set that a bit field stands for, or `None` if it has unknown bits.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        if bits & !Self::ALL.0 == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in one of the two sets, or in both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing is granted.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of what is in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .filter(move |(_, grant)| self.contains(*grant))
            .map(|(name, _)| name)
    }

    /// The grant of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, grant)| grant)
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// Whether this is acceptable as the name of an engine profile.
pub(crate) fn is_profile(name: &str) -> bool {
    (1..=MAX_PROFILE).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

impl<'a> InvokeArgs<'a> {
    /// Reads `invoke-args`.
    pub(crate) fn read(mut reader: Reader<'a>) -> Result<Self, Error> {
        const U32: u64 = u32::MAX as u64;
        let reader = &mut reader;
        let mut keys = reader.map()?;
        keys.required(reader, args::PROFILE)?;
        let profile = reader.text(MAX_PROFILE, Error::Profile)?;
        if !is_profile(profile) {
            return Err(Error::Profile);
        }
        keys.required(reader, args::FUEL)?;
        let fuel = reader.unsigned(u64::MAX, Error::OutOfRange)?;
        keys.required(reader, args::MEMORY)?;
        let memory = number(reader)?;
        keys.required(reader, args::STACK)?;
        let stack = number(reader)?;
        keys.required(reader, args::GRANTS)?;
        let grants = reader.unsigned(U32, Error::UnknownGrant)?;
        let grants = u32::try_from(grants)
            .ok()
            .and_then(Grants::from_bits)
            .ok_or(Error::UnknownGrant)?;
        keys.required(reader, args::KIND)?;
        let kind = match reader.unsigned(u64::MAX, Error::UnknownKind)? {
            0 => Kind::Persistent,
            1 => Kind::Ephemeral,
            _ => return Err(Error::UnknownKind),
        };
        keys.required(reader, args::FLOOR)?;
        let floor = reader.unsigned(u64::MAX, Error::OutOfRange)?;
        keys.required(reader, args::SOURCE_DIGEST)?;
        let source_digest = reader.array_of(Error::DigestLength)?;
        // One is what stands there by itself, so it has no encoding of its own.
        let signatures = if keys.optional(reader, args::SIGNATURES)? {
            let count = reader.unsigned(MAX_SIGNATURES as u64, Error::SignatureCount)?;
            u8::try_from(count)
                .ok()
                .filter(|count| *count > 1)
                .ok_or(Error::SignatureCount)?
        } else {
            1
        };
        keys.end(reader)?;
        reader.clone().finish()?;
        Ok(Self {
            profile,
            fuel,
            memory,
            stack,
            grants,
            kind,
            floor,
            source_digest,
            signatures,
        })
    }
}

/// Reads a number of 32 bits.
pub(crate) fn number(reader: &mut Reader<'_>) -> Result<u32, Error> {
    let value = reader.unsigned(u64::from(u32::MAX), Error::OutOfRange)?;
    u32::try_from(value).map_err(|_| Error::OutOfRange)
}
