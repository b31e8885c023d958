//! How far an input got: so that a test can tell whether the seeds still reach
//! what they were made for.

use crate::rig::Reply;

/// What happened while an input was run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Datagrams that were authentic and new.
    pub authentic: usize,
    /// Protected responses with a code of class 2, and of another class.
    pub done: usize,
    /// See [`Trace::done`].
    pub refused: usize,
    /// Unprotected responses to protected requests.
    pub unprotected: usize,
    /// Key exchanges that were finished.
    pub established: usize,
    /// The highest sequence number that was ever active.
    pub highest: u64,
    /// Whether a transfer was open at some time.
    pub transfers: bool,
    /// Messages that both implementations of OSCORE read alike, or envelopes that
    /// everybody takes.
    pub alike: usize,
    /// Whether it came to what the target is for: a manifest that was taken, a power
    /// cut, a host call that was done, a plain function that returned.
    pub reached: bool,
}

impl Trace {
    /// Of a target where nothing else is to be told.
    pub(crate) fn of(reached: bool) -> Self {
        Self {
            reached,
            ..Self::default()
        }
    }

    pub(crate) fn note(&mut self, reply: &Reply) {
        match reply {
            Reply::Protected(inner) if inner.first().is_some_and(|code| code >> 5 == 2) => {
                self.done += 1;
            }
            Reply::Protected(_) => self.refused += 1,
            Reply::Refused(_) => self.unprotected += 1,
            Reply::None => {}
        }
    }

    /// What two inputs reached.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            authentic: self.authentic + other.authentic,
            done: self.done + other.done,
            refused: self.refused + other.refused,
            unprotected: self.unprotected + other.unprotected,
            established: self.established + other.established,
            highest: self.highest.max(other.highest),
            transfers: self.transfers || other.transfers,
            alike: self.alike + other.alike,
            reached: self.reached || other.reached,
        }
    }
}
