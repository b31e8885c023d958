//! What an instance may allocate.

use wasmtime::{Error, ResourceLimiter, Result};

/// Elements of one table. A table has one for each function that is called
/// indirectly.
const MAX_TABLE: usize = 4096;

/// Keeps an instance within the memory that its manifest says, and remembers
/// what it had and whether it wanted more.
#[derive(Debug)]
pub(super) struct Limiter {
    max: usize,
    used: usize,
    peak: usize,
    refused: bool,
}

impl Limiter {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            max,
            used: 0,
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

    /// The most linear memory that there was, in bytes.
    pub(super) const fn peak(&self) -> usize {
        self.peak
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        let used = self.used.saturating_sub(current).saturating_add(desired);
        if used > self.max {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        self.peak = self.peak.max(used);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: Error) -> Result<()> {
        // Allowed, but there was none; `used` then is an upper bound.
        self.refused = true;
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        let fits = desired <= MAX_TABLE;
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_grow_failed(&mut self, _error: Error) -> Result<()> {
        self.refused = true;
        Ok(())
    }

    // A component of one core module has three instances: the module, and two
    // that tie the knot between its imports and its memory.
    fn instances(&self) -> usize {
        8
    }

    fn tables(&self) -> usize {
        4
    }

    fn memories(&self) -> usize {
        2
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
        let mut limiter = Limiter::new(100);
        assert!(limiter.table_growing(0, MAX_TABLE, None).unwrap());
        assert!(!limiter.table_growing(0, MAX_TABLE + 1, None).unwrap());
    }
}
