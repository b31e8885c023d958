//! A state machine that reads a text of words, and tells the numbers among them.

use crate::{Numbers, Sum};

const TEXT: &[u8] = b"17,-4.5,lamp,6e3,+12,0.001,2.5e-7,seven,-,99999,3..1,8e,-0,42,1e+1,x";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Sign,
    Whole,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    Power,
    Other,
}

impl State {
    fn after(self, letter: u8) -> Self {
        match (self, letter) {
            (Self::Start, b'+' | b'-') => Self::Sign,
            (Self::Start | Self::Sign | Self::Whole, b'0'..=b'9') => Self::Whole,
            (Self::Whole, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Whole | Self::Fraction, b'e') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::ExponentSign,
            (Self::Exponent | Self::ExponentSign | Self::Power, b'0'..=b'9') => Self::Power,
            _ => Self::Other,
        }
    }
}

/// Reads the text from two places on, and counts.
pub(crate) fn round(numbers: &mut Numbers, sum: &mut Sum) {
    for _ in 0..2 {
        let from = usize::from(numbers.next() % 16);
        count(TEXT.get(from..).unwrap_or_default())
            .into_iter()
            .for_each(|count| sum.add(count));
    }
}

/// How many words are whole numbers, fractions, have an exponent, or are none.
fn count(text: &[u8]) -> [u16; 4] {
    let mut counts = [0; 4];
    let mut state = State::Start;
    for letter in text.iter().chain(b",") {
        if *letter != b',' {
            state = state.after(*letter);
            continue;
        }
        let [whole, fractions, powers, others] = &mut counts;
        *match state {
            State::Whole => whole,
            State::Fraction => fractions,
            State::Power => powers,
            _ => others,
        } += 1;
        state = State::Start;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_words() {
        assert_eq!(count(TEXT), [5, 2, 3, 6]);
        assert_eq!(count(b""), [0, 0, 0, 1]);
    }
}
