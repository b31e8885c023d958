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
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            return free.replace(entry);
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
        self.0
            .iter_mut()
            .filter(|place| {
                let losing = |e: &T| candidate(e) && owner(e) == loser;
                place.as_ref().is_some_and(losing)
            })
            .min_by_key(|place| place.as_ref().map(&age))?
            .replace(entry)
    }
}
