//! Places of which there is one, and who is using them.
//!
//! The rule for two peers that send at the same time: who has sent a block in the
//! last [`HELD_MS`] goes on, and the other one is refused and told when to try
//! again. A peer never stands in its own way: its newer transfer takes the place
//! of its older one.

/// How long a place is kept for somebody who does not go on, in milliseconds.
pub(crate) const HELD_MS: u64 = 30_000;

/// Whose a place is: the peer, and when it was last seen there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Claim(Option<(usize, u64)>);

impl Claim {
    /// Whether somebody else is using the place.
    pub(crate) fn excludes(&self, peer: usize, now: u64) -> bool {
        let Self(claim) = self;
        claim.is_some_and(|(owner, seen)| owner != peer && now.saturating_sub(seen) < HELD_MS)
    }

    /// The place is this peer's from now on.
    pub(crate) fn hold(&mut self, peer: usize, now: u64) {
        self.0 = Some((peer, now));
    }

    /// The place is this peer's from now on, unless somebody else is using it:
    /// who helps with a transfer does not take it over.
    pub(crate) fn keep(&mut self, peer: usize, now: u64) {
        if !self.excludes(peer, now) {
            self.hold(peer, now);
        }
    }

    /// The place is nobody's.
    pub(crate) fn free(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_for_whoever_uses_it() {
        let mut claim = Claim::default();
        assert!(!claim.excludes(1, 0));
        claim.hold(1, 1000);
        assert!(!claim.excludes(1, 1000));
        assert!(claim.excludes(2, 1000));
        assert!(claim.excludes(2, 999 + HELD_MS));
        assert!(!claim.excludes(2, 1000 + HELD_MS));
        claim.free();
        assert!(!claim.excludes(2, 1000));
        claim.keep(1, 2000);
        claim.keep(2, 2000);
        assert!(claim.excludes(2, 2000));
        claim.keep(2, 2000 + HELD_MS);
        assert!(claim.excludes(1, 2000 + HELD_MS));
    }
}
