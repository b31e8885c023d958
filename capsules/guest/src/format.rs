//! Text without floating point and without allocation.

use core::fmt;

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
        let places = u32::from(self.scaling.unsigned_abs());
        let Some(one) = 10_u32.checked_pow(places) else {
            return write!(f, "{}e{}", self.value, self.scaling);
        };
        let value = self.value.unsigned_abs();
        let sign = if self.value < 0 { "-" } else { "" };
        if self.scaling >= 0 {
            return write!(f, "{sign}{}", u64::from(value) * u64::from(one));
        }
        let width = places as usize;
        write!(f, "{sign}{}.{:0width$}", value / one, value % one)
    }
}

/// A line of text in place; what does not fit is left away.
#[derive(Debug)]
pub struct Line<const N: usize = 96> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Line<N> {
    /// An empty line.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    /// What was written, as far as it fits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl<const N: usize> Default for Line<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Write for Line<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = N.saturating_sub(self.len);
        let mut take = text.len().min(room);
        while !text.is_char_boundary(take) {
            take -= 1;
        }
        if let Some(target) = self.bytes.get_mut(self.len..self.len + take)
            && let Some(source) = text.as_bytes().get(..take)
        {
            target.copy_from_slice(source);
            self.len += take;
        }
        Ok(())
    }
}
