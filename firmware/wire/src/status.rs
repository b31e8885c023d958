//! What a device says of its components, as CBOR maps with small integer keys.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decode, Encode};

/// The answer to `GET /vm-control`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DeviceStatus {
    /// Engine profile: what a payload must be translated for.
    #[n(0)]
    pub profile: String,
    /// SUIT vendor identifier, a UUID.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub vendor_id: [u8; 16],
    /// SUIT class identifier, a UUID.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub class_id: [u8; 16],
    /// One entry for each component.
    #[n(3)]
    pub components: Vec<ComponentStatus>,
    /// Seconds since the device started.
    #[n(4)]
    pub uptime: Option<u64>,
    /// Sequence number of the trust record in force, 0 for what the device was
    /// provisioned with; absent where it takes no records.
    #[n(5)]
    pub trust: Option<u64>,
}

/// One component; also the answer to `GET /vm-control/<vm>`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ComponentStatus {
    /// Name, such as `vm1`.
    #[n(0)]
    pub name: String,
    /// What the active slot holds.
    #[n(1)]
    pub phase: Phase,
    /// Active slot: 0 for A, 1 for B.
    #[n(2)]
    pub slot: Option<u8>,
    /// Sequence number of the active capsule.
    #[n(3)]
    pub sequence: Option<u64>,
    /// Highest sequence number that was ever activated.
    #[n(4)]
    pub highest: u64,
    /// Rollback floor.
    #[n(5)]
    pub floor: u64,
    /// Sequence number of the capsule that a roll back would restore.
    #[n(6)]
    pub previous: Option<u64>,
    /// Starts left before an unconfirmed trial is given up.
    #[n(7)]
    pub tries_left: Option<u8>,
    /// The open transfer, if there is one.
    #[n(8)]
    pub transfer: Option<Transfer>,
    /// Whether an instance is running, in RAM, now.
    #[n(9)]
    pub running: bool,
    /// Number of the [`Refusal`](crate::Refusal) that stopped a capsule of
    /// this component last.
    #[n(10)]
    pub last_fault: Option<u8>,
    /// Fuel that the last call used. This and the next ones are there, too,
    /// while nothing runs because a fault has stopped the capsule.
    #[n(11)]
    pub fuel_last: Option<u64>,
    /// Linear memory that the capsule has, or had when it was stopped, in
    /// bytes.
    #[n(12)]
    pub memory: Option<u32>,
    /// The most fuel that one call used since the capsule was started.
    #[n(13)]
    pub fuel_max: Option<u64>,
    /// The most memory, tables included, that the capsule had since it was
    /// started, in bytes.
    #[n(14)]
    pub memory_max: Option<u32>,
    /// How often a capsule was started in this component since the device was.
    #[n(15)]
    pub starts: Option<u32>,
    /// Seconds since the running capsule was started.
    #[n(16)]
    pub uptime: Option<u64>,
    /// What the log said of `last_fault`, such as where it trapped.
    #[n(17)]
    pub last_cause: Option<String>,
}

/// What the active slot of a component holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Phase {
    /// Nothing.
    #[n(0)]
    Empty,
    /// A capsule that is not confirmed yet.
    #[n(1)]
    Trial,
    /// A confirmed capsule.
    #[n(2)]
    Confirmed,
}

/// An open transfer of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Transfer {
    /// Sequence number of the manifest being installed.
    #[n(0)]
    pub sequence: u64,
    /// Payload bytes that the device has; the transfer goes on from here.
    #[n(1)]
    pub received: u32,
    /// Payload bytes in all.
    #[n(2)]
    pub size: u32,
    /// SUIT digest of the manifest, which tells one envelope from another.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub digest: [u8; 32],
}

impl DeviceStatus {
    /// The CBOR encoding.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Reads one CBOR item that fills `bytes`.
    ///
    /// # Errors
    ///
    /// [`StatusError`] where it is not such a map.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, StatusError> {
        from_cbor(bytes)
    }
}

impl ComponentStatus {
    /// The CBOR encoding.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Reads one CBOR item that fills `bytes`.
    ///
    /// # Errors
    ///
    /// [`StatusError`] where it is not such a map.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, StatusError> {
        from_cbor(bytes)
    }
}

/// The bytes are not a status map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusError;

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a status map")
    }
}

impl core::error::Error for StatusError {}

fn from_cbor<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, StatusError> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|_| StatusError)?;
    match decoder.position() == bytes.len() {
        true => Ok(value),
        false => Err(StatusError),
    }
}

fn to_cbor<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = minicbor::encode(value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_back_as_written() {
        let component = ComponentStatus {
            name: "vm1".into(),
            phase: Phase::Trial,
            slot: Some(1),
            sequence: Some(7),
            highest: 7,
            floor: 3,
            previous: None,
            tries_left: Some(2),
            transfer: Some(Transfer {
                sequence: 8,
                received: 4096,
                size: 9000,
                digest: [5; 32],
            }),
            running: true,
            last_fault: None,
            fuel_last: Some(12),
            memory: None,
            fuel_max: Some(100),
            memory_max: Some(8192),
            starts: Some(1),
            uptime: Some(60),
            last_cause: Some("trapped".into()),
        };
        let status = DeviceStatus {
            profile: "p".into(),
            vendor_id: [1; 16],
            class_id: [2; 16],
            components: alloc::vec![component.clone()],
            uptime: Some(3600),
            trust: Some(4),
        };
        let (all, one) = (status.to_cbor(), component.to_cbor());
        assert_eq!(DeviceStatus::from_cbor(&all), Ok(status));
        assert_eq!(ComponentStatus::from_cbor(&one), Ok(component));
        assert_eq!(DeviceStatus::from_cbor(b"\xff"), Err(StatusError));
        // Neither less than a whole one nor more.
        let cut = |bytes: &[u8]| bytes.split_last().map(|(_, rest)| rest.to_vec()).unwrap();
        for bytes in [cut(&all), [&all[..], &[0]].concat(), all.repeat(2)] {
            assert_eq!(DeviceStatus::from_cbor(&bytes), Err(StatusError));
        }
        for bytes in [cut(&one), [&one[..], &[0]].concat(), one.repeat(2)] {
            assert_eq!(ComponentStatus::from_cbor(&bytes), Err(StatusError));
        }
    }
}
