//! Text without floating point and without allocation.
//!
//! `core::fmt` works too, but brings some 8 kB of code with it; [`Line`] and
//! [`Decimal`] alone do not.

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
        f.write_str(Line::<48>::new().decimal(*self).as_str())
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

    /// This line with text at its end.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.push(text);
        self
    }

    /// This line with a number at its end.
    #[must_use]
    pub fn number(mut self, number: u32) -> Self {
        self.push_digits(number, 1);
        self
    }

    /// This line with a fixed-point number at its end.
    #[must_use]
    pub fn decimal(mut self, number: Decimal) -> Self {
        if number.value < 0 {
            self.push("-");
        }
        let digits = number.value.unsigned_abs();
        let places = u32::from(number.scaling.unsigned_abs());
        match 10_u32.checked_pow(places) {
            Some(one) if number.scaling < 0 => {
                self.push_digits(digits / one, 1);
                self.push(".");
                self.push_digits(digits % one, places as usize);
            }
            _ => {
                self.push_digits(digits, 1);
                if places > 0 {
                    self.push(if number.scaling < 0 { "e-" } else { "e" });
                    self.push_digits(places, 1);
                }
            }
        }
        self
    }

    /// Decimal digits, with zeros in front where there are fewer than `least`.
    fn push_digits(&mut self, mut number: u32, least: usize) {
        let mut digits = [b'0'; 10];
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            if number == 0 && used >= least {
                break;
            }
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            used += 1;
        }
        let digits = digits.get(digits.len() - used..).unwrap_or_default();
        self.push(core::str::from_utf8(digits).unwrap_or_default());
    }

    fn push(&mut self, text: &str) {
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
        self.push(text);
        Ok(())
    }
}
