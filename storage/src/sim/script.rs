//! What a driver is told to do, and how that ends.

use super::Operation;
use crate::SlotId;

/// A part of a history, for one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Open the transfer of a capsule and send all of it, as often as cuts
    /// make it necessary.
    Push(usize),
    /// The same, but stop when so many bytes are received.
    PushTo(usize, u32),
    /// Do one operation; once more if a cut undid it.
    Do(Operation),
    /// Switch off and on.
    Restart,
    /// Let a page fail from now on, silently or not; until it is repaired, a
    /// part of the history that meets it ends there.
    Wear(Part, bool),
    /// Repair all pages.
    Repair,
}

/// A page of a component's flash area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first page of the journal.
    FirstJournalPage,
    /// The second page of the journal.
    SecondJournalPage,
    /// The page where the head in a slot starts.
    Head(SlotId),
    /// The page of this byte of the payload in a slot.
    Payload(SlotId, u32),
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
    /// The power was cut, and came back.
    Cut {
        /// Whether the state is the one after the operation.
        done: bool,
    },
    /// The flash reported an error, and the store is as it may be then.
    Failed,
    /// The same, and it will again: the page is worn, or the journal at its
    /// end.
    Stuck,
}
