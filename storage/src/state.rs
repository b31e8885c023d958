//! The state of one component, as a value, and its encoding.

use crate::{Phase, SlotId};

/// Length of an encoded state, bytes.
pub(crate) const STATE_LEN: usize = 116;

/// What a slot is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// Nothing that anyone relies on.
    Free,
    /// An open transfer, of whose slot pages the first `pages` are written.
    Transfer { pages: u16 },
    /// Active, not confirmed.
    Trial { tries: u8 },
    /// Confirmed: active, or the capsule to roll back to.
    Confirmed,
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) usage: Usage,
    pub(crate) head_len: u16,
    pub(crate) size: u32,
    pub(crate) sequence: u64,
    pub(crate) digest: [u8; 32],
}

impl Content {
    pub(crate) const FREE: Self = Self {
        usage: Usage::Free,
        head_len: 0,
        size: 0,
        sequence: 0,
        digest: [0; 32],
    };

    /// The phase, if this is a whole capsule.
    pub(crate) const fn phase(&self) -> Option<Phase> {
        match self.usage {
            Usage::Free | Usage::Transfer { .. } => None,
            Usage::Trial { tries } => Some(Phase::Trial { tries_left: tries }),
            Usage::Confirmed => Some(Phase::Confirmed),
        }
    }
}

/// Everything that the journal keeps about one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) floor: u64,
    pub(crate) highest: u64,
    pub(crate) active: Option<SlotId>,
    pub(crate) slots: [Content; 2],
}

impl State {
    /// A component that never had a capsule.
    pub(crate) const EMPTY: Self = Self {
        floor: 0,
        highest: 0,
        active: None,
        slots: [Content::FREE; 2],
    };

    pub(crate) const fn slot(&self, id: SlotId) -> &Content {
        let [a, b] = &self.slots;
        match id {
            SlotId::A => a,
            SlotId::B => b,
        }
    }

    pub(crate) const fn slot_mut(&mut self, id: SlotId) -> &mut Content {
        let [a, b] = &mut self.slots;
        match id {
            SlotId::A => a,
            SlotId::B => b,
        }
    }

    /// The active slot with its content.
    pub(crate) fn active(&self) -> Option<(SlotId, &Content)> {
        self.active.map(|id| (id, self.slot(id)))
    }

    /// The active slot, if it is on trial, with the tries left.
    pub(crate) fn trial(&self) -> Option<(SlotId, u8)> {
        let (id, content) = self.active()?;
        match content.usage {
            Usage::Trial { tries } => Some((id, tries)),
            _ => None,
        }
    }

    /// The confirmed capsule that is not active, whatever the floor.
    pub(crate) fn previous(&self) -> Option<(SlotId, &Content)> {
        let id = self.active?.other();
        let content = self.slot(id);
        (content.usage == Usage::Confirmed).then_some((id, content))
    }

    /// The confirmed capsule that may be put back.
    pub(crate) fn rollback_target(&self) -> Option<(SlotId, &Content)> {
        self.previous()
            .filter(|(_, content)| content.sequence >= self.floor)
    }

    /// The slot of the open transfer, with its content and whole pages.
    pub(crate) fn transfer(&self) -> Option<(SlotId, &Content, u16)> {
        SlotId::BOTH.into_iter().find_map(|id| {
            let content = self.slot(id);
            match content.usage {
                Usage::Transfer { pages } => Some((id, content, pages)),
                _ => None,
            }
        })
    }

    /// Whether this can be a component's state at all: the floor is not above
    /// the highest number; an open transfer is; the active slot holds a
    /// capsule and the other none on trial; a trial and a transfer exclude
    /// each other; without an active slot nothing is confirmed.
    fn is_consistent(&self) -> bool {
        let usages_fit = match self.active {
            None => {
                let [a, b] = self.slots;
                matches!(
                    (a.usage, b.usage),
                    (Usage::Free | Usage::Transfer { .. }, Usage::Free)
                        | (Usage::Free, Usage::Transfer { .. })
                )
            }
            Some(active) => matches!(
                (self.slot(active).usage, self.slot(active.other()).usage),
                (
                    Usage::Confirmed,
                    Usage::Free | Usage::Transfer { .. } | Usage::Confirmed
                ) | (Usage::Trial { .. }, Usage::Free | Usage::Confirmed)
            ),
        };
        let numbers_fit = self.floor <= self.highest
            && SlotId::BOTH.into_iter().all(|id| {
                let content = self.slot(id);
                match content.usage {
                    Usage::Free => true,
                    Usage::Transfer { .. } => content.sequence > self.highest,
                    Usage::Trial { .. } | Usage::Confirmed => content.sequence <= self.highest,
                }
            });
        usages_fit && numbers_fit
    }

    /// Byte 0: the active slot (0 none, 1 A, 2 B); 1, 2: use of slot A and B
    /// (0 free, 1 transfer, 2 trial, 3 confirmed); 3: zero; 4: floor; 12:
    /// highest; 20 and 68: slot A and B, each: 0 head length, 2 whole pages or
    /// tries, 4 payload length, 8 sequence number, 16 manifest digest.
    /// Little endian.
    pub(crate) fn encode(&self) -> [u8; STATE_LEN] {
        let mut bytes = [0; STATE_LEN];
        let mut out = Writer(&mut bytes);
        out.put(&[match self.active {
            None => 0,
            Some(SlotId::A) => 1,
            Some(SlotId::B) => 2,
        }]);
        for content in &self.slots {
            out.put(&[match content.usage {
                Usage::Free => 0,
                Usage::Transfer { .. } => 1,
                Usage::Trial { .. } => 2,
                Usage::Confirmed => 3,
            }]);
        }
        out.put(&[0]);
        out.put(&self.floor.to_le_bytes());
        out.put(&self.highest.to_le_bytes());
        for content in &self.slots {
            let argument = match content.usage {
                Usage::Transfer { pages } => pages,
                Usage::Trial { tries } => u16::from(tries),
                Usage::Free | Usage::Confirmed => 0,
            };
            out.put(&content.head_len.to_le_bytes());
            out.put(&argument.to_le_bytes());
            out.put(&content.size.to_le_bytes());
            out.put(&content.sequence.to_le_bytes());
            out.put(&content.digest);
        }
        bytes
    }

    /// The state that was encoded; `None` for what [`State::encode`] does not
    /// produce.
    pub(crate) fn decode(bytes: &[u8; STATE_LEN]) -> Option<Self> {
        let mut input = Reader(bytes);
        let [active, use_a, use_b, zero] = input.take()?;
        let floor = u64::from_le_bytes(input.take()?);
        let highest = u64::from_le_bytes(input.take()?);
        let slots = [
            Self::decode_slot(&mut input, use_a)?,
            Self::decode_slot(&mut input, use_b)?,
        ];
        let state = Self {
            floor,
            highest,
            active: match active {
                0 => None,
                1 => Some(SlotId::A),
                2 => Some(SlotId::B),
                _ => return None,
            },
            slots,
        };
        (zero == 0 && state.is_consistent()).then_some(state)
    }

    fn decode_slot(input: &mut Reader<'_>, usage: u8) -> Option<Content> {
        let head_len = u16::from_le_bytes(input.take()?);
        let argument = u16::from_le_bytes(input.take()?);
        Some(Content {
            usage: match (usage, argument) {
                (0, 0) => Usage::Free,
                (1, pages) => Usage::Transfer { pages },
                (2, tries) => Usage::Trial {
                    tries: u8::try_from(tries).ok()?,
                },
                (3, 0) => Usage::Confirmed,
                _ => return None,
            },
            head_len,
            size: u32::from_le_bytes(input.take()?),
            sequence: u64::from_le_bytes(input.take()?),
            digest: input.take()?,
        })
    }
}

/// Fills a buffer from its start on.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let buffer = core::mem::take(&mut self.0);
        if let Some((place, rest)) = buffer.split_at_mut_checked(bytes.len()) {
            place.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
}

/// Takes fields from the start of a buffer.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const LEN: usize>(&mut self) -> Option<[u8; LEN]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, State, Usage};
    use crate::SlotId;

    const HIGHEST: u64 = 0x0102_0304_0506_0708;

    fn content(usage: Usage) -> Content {
        let sequence = match usage {
            Usage::Transfer { .. } => HIGHEST + 1,
            _ => HIGHEST,
        };
        Content {
            usage,
            head_len: 300,
            size: 70_000,
            sequence,
            digest: [0xA5; 32],
        }
    }

    const USAGES: [Usage; 4] = [
        Usage::Free,
        Usage::Transfer { pages: 0x1234 },
        Usage::Trial { tries: 3 },
        Usage::Confirmed,
    ];

    #[test]
    fn every_state_that_can_be_is_read_back_and_no_other() {
        let mut consistent = 0;
        for active in [None, Some(SlotId::A), Some(SlotId::B)] {
            for a in USAGES {
                for b in USAGES {
                    let state = State {
                        floor: 5,
                        highest: HIGHEST,
                        active,
                        slots: [content(a), content(b)],
                    };
                    let read = State::decode(&state.encode());
                    if state.is_consistent() {
                        consistent += 1;
                        assert_eq!(read, Some(state));
                    } else {
                        assert_eq!(read, None);
                    }
                }
            }
        }
        // Empty or one transfer: 3; active A or B: 5 each.
        assert_eq!(consistent, 13);
    }

    #[test]
    fn numbers_must_fit_together() {
        let good = State {
            floor: HIGHEST,
            highest: HIGHEST,
            active: Some(SlotId::B),
            slots: [
                content(Usage::Transfer { pages: 1 }),
                content(Usage::Confirmed),
            ],
        };
        assert_eq!(State::decode(&good.encode()), Some(good));
        let mut floor = good;
        floor.floor = HIGHEST + 1;
        let mut transfer = good;
        transfer.slots[0].sequence = HIGHEST;
        let mut active = good;
        active.slots[1].sequence = HIGHEST + 1;
        for bad in [floor, transfer, active] {
            assert_eq!(State::decode(&bad.encode()), None);
        }
    }

    #[test]
    fn fields_that_must_be_zero_are_checked() {
        let bytes = State::EMPTY.encode();
        assert_eq!(State::decode(&bytes), Some(State::EMPTY));
        for at in [0, 1, 2, 3, 22] {
            let mut bad = bytes;
            bad[at] = 9;
            assert_eq!(State::decode(&bad), None, "byte {at}");
        }
    }
}
