//! A table of fixed size that gives its places away fairly.

/// Up to `N` entries, in no order.
#[derive(Debug)]
pub(super) struct Pool<T, const N: usize>([Option<T>; N]);

impl<T, const N: usize> Pool<T, N> {
    pub(super) fn new() -> Self {
        Self([const { None }; N])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    pub(super) fn find(&mut self, which: impl FnMut(&&mut T) -> bool) -> Option<&mut T> {
        self.0.iter_mut().flatten().find(which)
    }

    /// Drops the entries for which `keep` is false.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        for place in &mut self.0 {
            if place.as_ref().is_some_and(|entry| !keep(entry)) {
                *place = None;
            }
        }
    }

    /// Puts an entry into a free place, or into the one of the entry with the
    /// lowest `age`. Returns the entry that had to go.
    pub(super) fn insert_oldest(&mut self, entry: T, age: impl Fn(&T) -> u64) -> Option<T> {
        // An empty place comes first: `None` is less than any `Some`.
        self.0
            .iter_mut()
            .min_by_key(|place| place.as_ref().map(&age))?
            .replace(entry)
    }

    /// Puts an entry into a free place. When there is none, the owner of the entry
    /// gives up its oldest one; an owner that has none takes the oldest of the
    /// owner that has the most. Returns the entry that had to go.
    pub(super) fn insert_fair<O: PartialEq>(
        &mut self,
        entry: T,
        owner: impl Fn(&T) -> O,
        age: impl Fn(&T) -> u64,
    ) -> Option<T> {
        if self.0.iter().all(Option::is_some) {
            let count = |of: &O| self.iter().filter(|e| owner(e) == *of).count();
            let mine = owner(&entry);
            let loser = match count(&mine) {
                0 => self.iter().map(&owner).max_by_key(|of| count(of))?,
                _ => mine,
            };
            return self
                .0
                .iter_mut()
                .filter(|place| place.as_ref().is_some_and(|e| owner(e) == loser))
                .min_by_key(|place| place.as_ref().map(&age))?
                .replace(entry);
        }
        self.insert_oldest(entry, age)
    }
}
