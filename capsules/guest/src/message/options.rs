//! Options in a message: RFC 7252, 3.1 and 3.2.

use alloc::vec::Vec;

use super::PAYLOAD_MARKER;

/// An option, as far as its value: RFC 7252, 3.1.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) delta: u32,
    /// Where the value begins and ends, inside the message.
    pub(super) value: usize,
    pub(super) end: usize,
}

impl Head {
    /// Reads the option at `at`. `Some(None)` at the end of the options,
    /// `None` where there is no option, and no end of them either.
    #[inline(always)]
    pub(super) fn read(message: &[u8], at: usize) -> Option<Option<Self>> {
        let Some(&first) = message.get(at).filter(|first| **first != PAYLOAD_MARKER) else {
            return Some(None);
        };
        let mut at = at + 1;
        let mut numbers = [u32::from(first >> 4), u32::from(first & 15)];
        for number in &mut numbers {
            // Bytes that follow.
            let more = number.saturating_sub(12) as usize;
            if more > 0 {
                *number = u32::from(*message.get(at)?) + 13;
                if more > 1 {
                    *number = ((*number - 13) << 8 | u32::from(*message.get(at + 1)?)) + 269;
                }
                if more > 2 {
                    return None;
                }
                at += more;
            }
        }
        let [delta, length] = numbers;
        let end = at + length as usize;
        (end <= message.len()).then_some(Some(Self {
            delta,
            value: at,
            end,
        }))
    }
}

/// Options that [`Request::parse`](super::Request::parse) found well-formed.
#[derive(Clone, Debug)]
pub(super) struct Options<'a> {
    number: u32,
    message: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Options<'a> {
    /// Those from one place to another; `number` is that of the one before.
    pub(super) fn new(number: u32, message: &'a [u8], (at, end): (usize, usize)) -> Self {
        Self {
            number,
            message,
            at,
            end,
        }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let head = Head::read(self.message, self.at)??;
        self.number += head.delta;
        self.at = head.end;
        let value = self.message.get(head.value..head.end)?;
        Some((self.number.try_into().ok()?, value))
    }
}

/// An unsigned number: RFC 7252, 3.2; `None` where it does not fit.
pub(super) fn uint(value: &[u8]) -> Option<u16> {
    match value {
        [] => Some(0),
        [low] => Some((*low).into()),
        [high, low] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

/// The options in a CoAP message; what is out of order or too long is left
/// away.
pub(crate) fn encode(options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut encoded = Vec::new();
    let mut last = 0;
    for (number, value) in options {
        let (Some(delta), Ok(length)) = (number.checked_sub(last), value.len().try_into()) else {
            continue;
        };
        last = *number;
        let (delta, delta_rest) = split(delta);
        let (length, length_rest) = split(length);
        encoded.push(delta << 4 | length);
        encoded.extend(delta_rest);
        encoded.extend(length_rest);
        encoded.extend_from_slice(value);
    }
    encoded
}

/// A number in the head of an option: its nibble, and the bytes that follow.
fn split(value: u16) -> (u8, impl Iterator<Item = u8>) {
    let (nibble, rest, skip) = match value {
        0..=12 => (value as u8, 0, 2),
        13..=268 => (13, value - 13, 1),
        _ => (14, value - 269, 0),
    };
    (nibble, rest.to_be_bytes().into_iter().skip(skip))
}
