//! What an instance may allocate.

use sealift_engine::{MAX_INSTANCES, MAX_MEMORIES, MAX_TABLE, MAX_TABLES};
use wasmtime::{Error, ResourceLimiter, Result};

/// What an element of a table takes, in bytes.
const ELEMENT: usize = size_of::<usize>();

/// Keeps an instance within the memory that its manifest says - its linear memories
/// in all, and its tables in all - and remembers what it had and whether it wanted
/// more.
#[derive(Debug)]
pub(super) struct Limiter {
    max: usize,
    /// Linear memory and tables, in bytes.
    used: usize,
    tables: usize,
    /// The most that there was of both.
    peak: usize,
    refused: bool,
}

impl Limiter {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            max,
            used: 0,
            tables: 0,
            peak: 0,
            refused: false,
        }
    }

    /// Begins a new call.
    pub(super) fn begin(&mut self) {
        self.refused = false;
    }

    /// Whether memory was refused since the call began.
    pub(super) const fn refused(&self) -> bool {
        self.refused
    }

    /// The linear memory that there is, in bytes.
    pub(super) const fn memory(&self) -> usize {
        self.used
    }

    /// The most that there was of linear memory and tables, in bytes.
    pub(super) const fn peak(&self) -> usize {
        self.peak
    }

    fn note(&mut self) {
        self.peak = self.peak.max(self.used.saturating_add(self.tables));
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let used = self.used.saturating_sub(current).saturating_add(desired);
        // More than the memory's own maximum fails later on, when it would be
        // counted already.
        if used > self.max || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        self.note();
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: Error) -> Result<()> {
        // Allowed, but there was none; `used` then is an upper bound.
        self.refused = true;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let gained = desired.saturating_sub(current).saturating_mul(ELEMENT);
        let tables = self.tables.saturating_add(gained);
        let too_long = desired > MAX_TABLE || maximum.is_some_and(|maximum| desired > maximum);
        if too_long || tables > self.max {
            self.refused = true;
            return Ok(false);
        }
        self.tables = tables;
        self.note();
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: Error) -> Result<()> {
        self.refused = true;
        Ok(())
    }

    // The signer refuses what has more of these; a translator of somebody
    // else's may not.
    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_share_one_limit() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 41, None).unwrap());
        assert!(limiter.refused());
        limiter.begin();
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert!(!limiter.refused());
        assert_eq!(limiter.peak(), 100);
        assert!(!limiter.memory_growing(60, 61, None).unwrap());
    }

    #[test]
    fn tables_are_bounded() {
        let max = MAX_TABLE * ELEMENT;
        let mut limiter = Limiter::new(max);
        assert!(!limiter.table_growing(0, MAX_TABLE + 1, None).unwrap());
        assert!(limiter.table_growing(0, MAX_TABLE - 1, None).unwrap());
        // All of them together.
        assert!(!limiter.table_growing(0, 2, None).unwrap());
        assert!(limiter.table_growing(0, 1, None).unwrap());
        assert_eq!(limiter.peak(), max);
    }

    #[test]
    fn what_its_own_maximum_forbids_does_not_count() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, Some(60)).unwrap());
        assert!(!limiter.memory_growing(60, 61, Some(60)).unwrap());
        assert_eq!(limiter.memory(), 60);
        assert!(!limiter.table_growing(0, 2, Some(1)).unwrap());
        assert_eq!(limiter.peak(), 60);
    }
}
