//! A table with so many places, which gives them away fairly.

use alloc::vec::Vec;

/// Up to `N` entries, in no order. The first one takes the RAM of all: entries
/// with keys in them do not move when others come.
#[derive(Debug)]
pub(super) struct Pool<T, const N: usize>(Vec<T>);

impl<T, const N: usize> Pool<T, N> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }

    pub(super) fn find(&mut self, which: impl FnMut(&&mut T) -> bool) -> Option<&mut T> {
        self.0.iter_mut().find(which)
    }

    /// Drops the entries for which `keep` is false.
    pub(super) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.0.retain(keep);
    }

    /// The same, where what is kept may change.
    pub(super) fn retain_mut(&mut self, keep: impl FnMut(&mut T) -> bool) {
        self.0.retain_mut(keep);
    }

    /// Puts an entry into a free place. When there is none, the owner of the entry
    /// gives up its oldest one; an owner that has none takes the oldest of the
    /// owner that has the most. Entries that are not `movable` stay while there are
    /// others. Returns the entry that had to go.
    pub(super) fn insert_fair<O: PartialEq>(
        &mut self,
        entry: T,
        movable: impl Fn(&T) -> bool,
        owner: impl Fn(&T) -> O,
        age: impl Fn(&T) -> u64,
    ) -> Option<T> {
        if self.0.len() < N {
            let free = N.saturating_sub(self.0.len());
            if self.0.try_reserve_exact(free).is_err() {
                return Some(entry);
            }
            self.0.push(entry);
            return None;
        }
        let all = !self.iter().any(&movable);
        let candidate = |entry: &T| all || movable(entry);
        let count = |of: &O| {
            let candidates = self.iter().filter(|e| candidate(e));
            candidates.filter(|e| owner(e) == *of).count()
        };
        let mine = owner(&entry);
        let loser = match count(&mine) {
            0 => self.iter().map(&owner).max_by_key(|of| count(of))?,
            _ => mine,
        };
        let losing = |e: &&mut T| candidate(e) && owner(e) == loser;
        let place = self.0.iter_mut().filter(losing).min_by_key(|e| age(e))?;
        Some(core::mem::replace(place, entry))
    }
}
