//! Everybody who can be in a record: those who have sessions, and others.

use sealift_oscore::{Credential, Identity};

use crate::rig::World;
use crate::rng::Rng;

/// How many there are: more than a device can know.
pub(super) const COUNT: usize = 10;
/// Those who may have a session; the others are only written down.
pub(super) const PRESENT: usize = 4;
/// Who is in no record at the start, and makes key exchanges all the same.
pub(super) const STRANGER: usize = PRESENT;

thread_local! {
    static OTHERS: Vec<Credential> = (PRESENT + 1..COUNT).map(other).collect();
}

fn other(number: usize) -> Credential {
    let mut rng = Rng::new(20 + number as u64);
    let other = Identity::generate("another", &mut rng).expect("a short name");
    other.credential().clone()
}

/// The credential of this number.
pub(super) fn credential(who: usize) -> Credential {
    let people = &World::get().people;
    match people.known.get(who) {
        Some(known) => known.credential().clone(),
        None if who == STRANGER => people.stranger.credential().clone(),
        None => OTHERS.with(|others| others[who - PRESENT - 1].clone()),
    }
}
