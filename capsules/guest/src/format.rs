//! Text without floating point and without allocation.
//!
//! `core::fmt` works too, but brings some 8 kB of code with it; [`Line`] and
//! [`Decimal`] alone do not.
#![expect(
    unsafe_code,
    reason = "checking again that text is text costs 2 kB; see `as_str`"
)]

use core::fmt;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};

use crate::bytes::copy;

/// A fixed-point number: `value * 10^scaling`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The digits.
    pub value: i32,
    /// The power of ten.
    pub scaling: i8,
}

impl Decimal {
    /// This temperature, from degrees Celsius to degrees Fahrenheit, with one
    /// more decimal place.
    #[must_use]
    pub fn fahrenheit(self) -> Self {
        let scaling = self.scaling.saturating_sub(1);
        let offset = 10_i32
            .checked_pow(scaling.unsigned_abs().into())
            .filter(|_| scaling < 0)
            .map_or(0, |one| one.saturating_mul(32));
        Self {
            // times ten for the decimal place, times nine fifths
            value: self.value.saturating_mul(18).saturating_add(offset),
            scaling,
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Line::<138>::new().decimal(*self).as_str())
    }
}

/// A line of text in place, with room for `N` bytes. What is written to it is
/// in [`Text`].
///
/// ```
/// use sealift_guest::{Decimal, Line};
///
/// let mut line = Line::<48>::new();
/// line.text("at ").decimal(Decimal { value: 2157, scaling: -2 }).text(" °C");
/// assert_eq!(line.as_str(), "at 21.57 °C");
/// ```
#[derive(Clone, Debug)]
pub struct Line<const N: usize = 96>(Text<[MaybeUninit<u8>; N]>);

impl<const N: usize> Line<N> {
    /// An empty line.
    #[must_use]
    pub const fn new() -> Self {
        Self(Text {
            len: 0,
            bytes: [MaybeUninit::uninit(); N],
        })
    }
}

impl<const N: usize> Default for Line<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Deref for Line<N> {
    type Target = Text;

    fn deref(&self) -> &Text {
        &self.0
    }
}

impl<const N: usize> DerefMut for Line<N> {
    fn deref_mut(&mut self) -> &mut Text {
        &mut self.0
    }
}

impl<const N: usize> fmt::Write for Line<N> {
    /// Writes as much as fits.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut take = text.len().min(N.saturating_sub(self.len));
        while !text.is_char_boundary(take) {
            take -= 1;
        }
        self.text(text.get(..take).unwrap_or_default());
        Ok(())
    }
}

/// Text that is being written. A part that does not fit is left away.
#[derive(Clone, Debug)]
pub struct Text<B: ?Sized = [MaybeUninit<u8>]> {
    len: usize,
    /// Up to `len`, they are written, and text.
    bytes: B,
}

impl Text {
    /// Writes text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.len = put(&mut self.bytes, self.len, text.as_bytes());
        self
    }

    /// Writes a number.
    pub fn number(&mut self, number: u32) -> &mut Self {
        self.digits(number, 0, false)
    }

    /// Writes a fixed-point number, with all its digits.
    pub fn decimal(&mut self, number: Decimal) -> &mut Self {
        let Decimal { value, scaling } = number;
        self.digits(value.unsigned_abs(), scaling, value < 0)
    }

    /// Writes `number * 10^scaling`.
    fn digits(&mut self, mut number: u32, scaling: i8, negative: bool) -> &mut Self {
        /// The longest has a sign, ten digits and 127 zeros.
        const LENGTH: usize = 138;

        // Backwards, as the digits come.
        let mut digits = [MaybeUninit::<u8>::uninit(); LENGTH];
        let mut start = LENGTH;
        let mut push = |byte| {
            start -= 1;
            // SAFETY: there is room for the longest.
            unsafe { digits.get_unchecked_mut(start) }.write(byte);
        };
        let scaling = i32::from(scaling);
        // The power of ten of the digit that is next.
        let mut power = scaling.min(0);
        loop {
            let mut digit = 0;
            if power >= scaling {
                digit = number % 10;
                number /= 10;
            }
            push(b'0' + digit as u8);
            power += 1;
            if power == 0 {
                push(b'.');
            }
            if number == 0 && power > 0 {
                break;
            }
        }
        if negative {
            push(b'-');
        }
        let length = LENGTH - start;
        if let Some(place) = self.bytes.get_mut(self.len..self.len + length) {
            self.len += length;
            let from = digits.as_ptr().wrapping_add(start).cast();
            // SAFETY: so many digits were written, and there is room for them.
            unsafe { copy(from, place.as_mut_ptr().cast(), length) };
        }
        self
    }

    /// What was written, as far as it fits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // SAFETY: so many bytes are there, and were written by the functions
        // above.
        let bytes = unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.len) };
        // SAFETY: and all of what they write is text.
        unsafe { core::str::from_utf8_unchecked(bytes) }
    }
}

/// Writes `bytes` to `at` in `place`, if they fit; where the next ones go.
pub(crate) fn put(place: &mut [MaybeUninit<u8>], at: usize, bytes: &[u8]) -> usize {
    let end = at + bytes.len();
    match place.get_mut(at..end) {
        Some(target) => {
            target.write_copy_of_slice(bytes);
            end
        }
        None => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use alloc::format;
    use alloc::string::String;

    fn decimal(value: i32, scaling: i8) -> String {
        let mut line = Line::<138>::new();
        line.decimal(Decimal { value, scaling }).as_str().into()
    }

    #[test]
    fn decimals_are_written_with_all_their_digits() {
        for (value, scaling, text) in [
            (0, 0, "0"),
            (2157, -2, "21.57"),
            (2107, -2, "21.07"),
            (5, -2, "0.05"),
            (-5, -2, "-0.05"),
            (-2157, -1, "-215.7"),
            (0, -3, "0.000"),
            (i32::MIN, 0, "-2147483648"),
            (i32::MAX, -9, "2.147483647"),
            (7, -9, "0.000000007"),
            (7, 3, "7000"),
            (-40, 1, "-400"),
            (0, 3, "0"),
            (-7, -10, "-0.0000000007"),
            (i32::MIN, 127, &format!("-2147483648{}", "0".repeat(127))),
            (-1, -128, &format!("-0.{}1", "0".repeat(127))),
        ] {
            assert_eq!(decimal(value, scaling), text);
            assert_eq!(format!("{}", Decimal { value, scaling }), text);
        }
    }

    #[test]
    fn numbers_are_as_core_writes_them() {
        for number in [0, 1, 9, 10, 99, 100, 1_000_000, u32::MAX] {
            let mut line = Line::<10>::new();
            assert_eq!(line.number(number).as_str(), format!("{number}"));
        }
    }

    #[test]
    fn fahrenheit_is_exact() {
        let fahrenheit = |value, scaling| {
            let Decimal { value, scaling } = Decimal { value, scaling }.fahrenheit();
            (value, scaling)
        };
        assert_eq!(fahrenheit(2157, -2), (70_826, -3));
        assert_eq!(fahrenheit(-40, 0), (-400, -1));
        assert_eq!(fahrenheit(100, 0), (2120, -1));
    }

    #[test]
    fn what_does_not_fit_is_left_away() {
        let mut line = Line::<8>::new();
        line.text("12345").text("6789").text("678");
        assert_eq!(line.as_str(), "12345678");
        line.text("").number(1);
        assert_eq!(line.as_str(), "12345678");
        let mut line = Line::<8>::new();
        line.text("12345").number(6789).number(678).number(9);
        assert_eq!(line.as_str(), "12345678");
        // Formatted text is cut instead, between characters.
        let mut line = Line::<8>::new();
        assert!(fmt::Write::write_str(&mut line, "äöüäö").is_ok());
        assert_eq!(line.as_str(), "äöüä");
        let mut line = Line::<7>::new();
        assert!(fmt::Write::write_str(&mut line, "äöüäö").is_ok());
        assert_eq!(line.as_str(), "äöü");
    }
}
