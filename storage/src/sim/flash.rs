//! A NOR flash in RAM.

use std::vec;
use std::vec::Vec;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

use super::{Access, MockError, Torn};
use crate::media;

/// How a page fails that was worn out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wear {
    /// It works.
    None,
    /// Erases and writes report an error. A write does nothing, an erase
    /// leaves any bits.
    Reported,
    /// They report success; writes leave a bit of each word as it was.
    Silent,
}

/// A byte whose bits are different after each restart.
#[derive(Clone, Copy, Debug)]
struct UnstableByte {
    at: usize,
    old: u8,
    new: u8,
}

/// A NOR flash with words of `WORD` bytes and erase pages of `PAGE` bytes.
///
/// Starts erased, with power on. Time is counted in *steps*: one for each byte
/// that is written or erased. Panics where a test asks for pages that are not
/// there.
#[derive(Clone, Debug)]
pub struct MockFlash<const WORD: usize, const PAGE: usize> {
    bytes: Vec<u8>,
    written: Vec<bool>,
    fresh: Vec<bool>,
    wear: Vec<Wear>,
    erases: Vec<u32>,
    unstable: Vec<UnstableByte>,
    demand_fresh: bool,
    steps: u64,
    log: Option<Vec<Access>>,
    cut: Option<(u64, Torn)>,
    glitch: Option<u64>,
    off: bool,
    random: u64,
}

impl<const WORD: usize, const PAGE: usize> MockFlash<WORD, PAGE> {
    /// An erased flash of so many pages.
    #[must_use]
    pub fn new(pages: usize) -> Self {
        Self {
            bytes: vec![0xFF; pages * PAGE],
            written: vec![false; pages * PAGE / WORD],
            fresh: vec![true; pages],
            wear: vec![Wear::None; pages],
            erases: vec![0; pages],
            unstable: Vec::new(),
            demand_fresh: false,
            steps: 0,
            log: None,
            cut: None,
            glitch: None,
            off: false,
            random: 0x9E37_79B9_7F4A_7C15,
        }
    }

    /// A flash full of bytes that mean nothing, and must be erased first.
    #[must_use]
    pub fn with_garbage(pages: usize, seed: u64) -> Self {
        let mut flash = Self::new(pages);
        flash.random ^= seed;
        for at in 0..flash.bytes.len() {
            flash.bytes[at] = flash.mix(0, 0xFF);
        }
        flash.written.fill(true);
        flash.fresh.fill(false);
        flash
    }

    /// Takes what was done so far as the past: off and on, and no steps, no
    /// erases.
    pub(super) fn begin(&mut self) {
        self.power_on();
        self.steps = 0;
        self.erases.fill(0);
    }

    /// From now on, writes into pages that were not erased since the power
    /// came on are errors.
    pub fn demand_fresh_pages(&mut self) {
        self.demand_fresh = true;
    }

    /// Cuts the power while the byte of this step, counted from now, is
    /// written or erased. `seed` chooses the bits.
    pub fn cut_at(&mut self, step: u64, torn: Torn, seed: u64) {
        self.cut = Some((self.steps + step, torn));
        self.random = seed ^ 0x9E37_79B9_7F4A_7C15;
    }

    /// Reports an error for the write or erase with this step, counted from
    /// now, although it is done.
    pub fn glitch_at(&mut self, step: u64) {
        self.glitch = Some(self.steps + step);
    }

    /// No cut any more, if it did not come yet.
    pub fn cancel_cut(&mut self) {
        self.cut = None;
    }

    /// Whether the power is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.off
    }

    /// Turns the power off, if it is on, and on. A cut that did not come yet
    /// is still to come.
    pub fn power_on(&mut self) {
        self.off = false;
        self.fresh.fill(false);
        let roll = self.next_random() % 3;
        for i in 0..self.unstable.len() {
            let UnstableByte { at, old, new } = self.unstable[i];
            self.bytes[at] = match roll {
                0 => old,
                1 => new,
                _ => self.mix(old, new),
            };
        }
    }

    /// Bytes that were written or erased so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// From now on, keeps a log of all accesses.
    pub fn start_log(&mut self) {
        self.log = Some(Vec::new());
    }

    /// All writes and erases since the log was started, in order.
    #[must_use]
    pub fn log(&self) -> &[Access] {
        self.log.as_deref().unwrap_or_default()
    }

    /// How often each page was erased.
    #[must_use]
    pub fn erases(&self) -> &[u32] {
        &self.erases
    }

    /// The bytes as they are.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, to be damaged.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Flips a bit, numbered from that of value 1 in the first byte on.
    pub fn rot(&mut self, bit: usize) {
        self.bytes[bit / 8] ^= 1 << (bit % 8);
    }

    /// Makes a page fail from now on: `silent`, so that a bit of
    /// each word cannot be cleared, or with errors.
    pub fn wear_out(&mut self, page: usize, silent: bool) {
        self.wear[page] = if silent { Wear::Silent } else { Wear::Reported };
    }

    /// Makes a worn page work again.
    pub fn repair(&mut self, page: usize) {
        self.wear[page] = Wear::None;
    }

    /// Reports an error if the glitch was in the steps since `start`.
    fn glitch(&mut self, start: u64) -> Result<(), MockError> {
        match self.glitch {
            Some(at) if at >= start && at < self.steps => {
                self.glitch = None;
                Err(MockError::Glitch)
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, len: usize, is_erase: bool) {
        if let Some(log) = &mut self.log {
            log.push(Access {
                step: self.steps,
                len: len as u64,
                is_erase,
            });
        }
    }

    /// Takes one step, and says whether the power goes off in it.
    fn step(&mut self) -> Option<Torn> {
        let now = self.steps;
        self.steps += 1;
        match self.cut {
            Some((at, torn)) if at == now => {
                self.off = true;
                self.cut = None;
                Some(torn)
            }
            _ => None,
        }
    }

    /// Leaves `new` over the bytes from `start` on as a cut at byte `reached`
    /// leaves it.
    fn tear(&mut self, torn: Torn, start: usize, new: &[u8], reached: usize) {
        for (i, &new) in new.iter().enumerate() {
            let at = start + i;
            let old = self.bytes[at];
            self.bytes[at] = match torn {
                Torn::Old => old,
                Torn::New => new,
                Torn::Prefix if i < reached => new,
                Torn::Prefix => old,
                Torn::Mix => self.mix(old, new),
                Torn::Unstable => {
                    if old != new {
                        self.unstable.push(UnstableByte { at, old, new });
                    }
                    self.mix(old, new)
                }
            };
        }
    }

    fn mix(&mut self, old: u8, new: u8) -> u8 {
        let mask = (self.next_random() >> 40).to_le_bytes()[0];
        (old & mask) | (new & !mask)
    }

    /// splitmix64
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn check(&self, offset: u32, len: usize, unit: usize) -> Result<usize, MockError> {
        if self.off {
            return Err(MockError::Off);
        }
        let start = offset as usize;
        if !start.is_multiple_of(unit) || !len.is_multiple_of(unit) {
            return Err(MockError::NotAligned);
        }
        if start + len > self.bytes.len() {
            return Err(MockError::OutOfBounds);
        }
        Ok(start)
    }

    fn erase_page(&mut self, page: usize) -> Result<(), MockError> {
        let start = page * PAGE;
        if self.wear[page] == Wear::Reported {
            self.fresh[page] = false;
            self.tear(Torn::Mix, start, &[0xFF; PAGE], PAGE);
            return Err(MockError::Broken);
        }
        self.erases[page] += 1;
        self.fresh[page] = false;
        self.written[start / WORD..(start + PAGE) / WORD].fill(true);
        let first = self.steps;
        self.note(PAGE, true);
        for reached in 0..PAGE {
            if let Some(torn) = self.step() {
                self.tear(torn, start, &[0xFF; PAGE], reached);
                return Err(MockError::Off);
            }
        }
        self.unstable
            .retain(|byte| byte.at < start || byte.at >= start + PAGE);
        self.bytes[start..start + PAGE].fill(0xFF);
        self.written[start / WORD..(start + PAGE) / WORD].fill(false);
        self.fresh[page] = true;
        self.glitch(first)
    }

    fn write_word(&mut self, start: usize, bytes: &[u8]) -> Result<(), MockError> {
        let offset = media::unit(start);
        let page = start / PAGE;
        let mut bytes: [u8; WORD] = bytes.try_into().map_err(|_| MockError::NotAligned)?;
        match self.wear[page] {
            Wear::None => {}
            Wear::Reported => return Err(MockError::Broken),
            Wear::Silent => bytes[0] |= 1,
        }
        if self.demand_fresh && !self.fresh[page] {
            return Err(MockError::StalePage {
                offset: media::unit(page * PAGE),
            });
        }
        if core::mem::replace(&mut self.written[start / WORD], true) {
            return Err(MockError::WordTwice { offset });
        }
        for (byte, old) in bytes.iter_mut().zip(&self.bytes[start..]) {
            *byte &= old;
        }
        let first = self.steps;
        self.note(WORD, false);
        for reached in 0..WORD {
            if let Some(torn) = self.step() {
                self.tear(torn, start, &bytes, reached);
                return Err(MockError::Off);
            }
        }
        self.bytes[start..start + WORD].copy_from_slice(&bytes);
        self.glitch(first)
    }
}

impl<const WORD: usize, const PAGE: usize> ErrorType for MockFlash<WORD, PAGE> {
    type Error = MockError;
}

impl<const WORD: usize, const PAGE: usize> ReadNorFlash for MockFlash<WORD, PAGE> {
    /// Like the word, but not more than 4: the case that needs most care.
    const READ_SIZE: usize = if WORD < 4 { WORD } else { 4 };

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), MockError> {
        let start = self.check(offset, bytes.len(), Self::READ_SIZE)?;
        bytes.copy_from_slice(&self.bytes[start..start + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const WORD: usize, const PAGE: usize> NorFlash for MockFlash<WORD, PAGE> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), MockError> {
        let len = to.checked_sub(from).ok_or(MockError::OutOfBounds)? as usize;
        let start = self.check(from, len, PAGE)?;
        (start / PAGE..(start + len) / PAGE).try_for_each(|page| self.erase_page(page))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), MockError> {
        let start = self.check(offset, bytes.len(), WORD)?;
        bytes
            .chunks(WORD)
            .enumerate()
            .try_for_each(|(i, word)| self.write_word(start + i * WORD, word))
    }
}

#[cfg(test)]
#[path = "flash_tests.rs"]
mod tests;
