//! What the store reports about a component.

/// One of the two slots of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum SlotId {
    /// The slot at the lower flash address.
    A = 0,
    /// The slot at the higher flash address.
    B = 1,
}

impl SlotId {
    /// Both slots.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// How far an activated capsule is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It was confirmed.
    Confirmed,
    /// Newly activated: runs as long as tries are left, then is reverted.
    Trial {
        /// Attempts that may still be begun.
        tries_left: u8,
    },
}

/// A whole capsule in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotInfo {
    /// Where it is.
    pub slot: SlotId,
    /// Sequence number of its manifest.
    pub sequence: u64,
    /// Confirmed or on trial.
    pub phase: Phase,
    /// SUIT digest of its manifest: the identity of the envelope.
    pub digest: [u8; 32],
    /// Length of the envelope's head, bytes.
    pub head_len: u16,
    /// Length of the payload, bytes.
    pub payload_len: u32,
}

/// An open transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The slot that is being filled.
    pub slot: SlotId,
    /// Payload bytes received. Falls to an erase page boundary with a reset
    /// or a flash failure.
    pub received: u32,
    /// Payload bytes in all.
    pub size: u32,
    /// Sequence number of the manifest.
    pub sequence: u64,
    /// SUIT digest of the manifest: the identity of the envelope.
    pub digest: [u8; 32],
    /// Length of the envelope's head, bytes.
    pub head_len: u16,
}

/// The state of one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComponentStatus {
    /// The capsule that runs.
    pub active: Option<SlotInfo>,
    /// The confirmed capsule that a roll back would put back.
    pub previous: Option<SlotInfo>,
    /// The highest sequence number ever activated; 0 if none was. Never falls.
    pub highest: u64,
    /// The rollback floor: the lowest sequence number that may still be
    /// installed or run. Never falls.
    pub floor: u64,
    /// The open transfer.
    pub transfer: Option<Transfer>,
}

/// What [`crate::Store::open_transfer`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The same envelope is the active capsule. Nothing was changed.
    AlreadyActive,
    /// The same envelope's transfer was open and goes on.
    Resumed {
        /// Payload bytes that are there; send on from here.
        received: u32,
    },
    /// A new transfer was opened; what the slot held before is gone.
    New,
}
