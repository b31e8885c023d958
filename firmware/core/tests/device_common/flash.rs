//! Flash that fails, and changes, as a test says.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use sealift_storage::sim::{MockError, MockFlash};

use super::{PAGE, WORD};

/// Flash that the test can still reach while the device has it.
#[derive(Clone)]
pub(crate) struct Flash(
    pub(crate) Rc<RefCell<MockFlash<WORD, PAGE>>>,
    /// Good reads before one that fails.
    pub(crate) Rc<Cell<Option<u32>>>,
    /// A bit that changes.
    pub(crate) Rc<Cell<Option<Flip>>>,
);

/// A bit of the flash that changes once its byte was read so many times.
#[derive(Clone, Copy)]
pub(crate) struct Flip {
    pub(crate) at: usize,
    pub(crate) bit: u8,
    pub(crate) reads: u32,
}

impl Flash {
    /// An erased one.
    pub(super) fn new(pages: usize) -> Self {
        let flash = MockFlash::new(pages);
        Self(Rc::new(RefCell::new(flash)), Rc::default(), Rc::default())
    }

    /// Notes that these bytes are about to be read.
    fn before_read(&self, range: Range<usize>) {
        let Some(flip) = self.2.get().filter(|flip| range.contains(&flip.at)) else {
            return;
        };
        let left = flip.reads.checked_sub(1);
        self.2.set(left.map(|reads| Flip { reads, ..flip }));
        if left.is_none() {
            self.0.borrow_mut().bytes_mut()[flip.at] ^= 1 << flip.bit;
        }
    }
}

impl ErrorType for Flash {
    type Error = MockError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = MockFlash::<WORD, PAGE>::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), MockError> {
        match self.1.get() {
            Some(0) => {
                self.1.set(None);
                return Err(MockError::Glitch);
            }
            left => self.1.set(left.map(|left| left - 1)),
        }
        let start = offset as usize;
        self.before_read(start..start + bytes.len());
        self.0.borrow_mut().read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.borrow().capacity()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), MockError> {
        self.0.borrow_mut().erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), MockError> {
        self.0.borrow_mut().write(offset, bytes)
    }
}
