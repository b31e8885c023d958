//! What all inputs begin with.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Present, Rig};
use crate::device::{Flash, People};
use crate::fixtures::Fixtures;

/// What is the same for every input, made once for each thread.
pub(crate) struct World {
    pub(crate) people: People,
    pub(crate) fixtures: Fixtures,
    pub(super) erased: Flash,
    /// With a confirmed capsule, if there are signed ones.
    pub(super) installed: Option<Flash>,
}

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

impl World {
    /// The one of this thread.
    pub(crate) fn get() -> Rc<Self> {
        if let Some(world) = WORLD.with_borrow(Clone::clone) {
            return world;
        }
        let world = Self {
            people: People::new(),
            fixtures: Fixtures::load(),
            erased: Flash::erased(),
            installed: None,
        };
        let world = match world.fixtures.active.clone() {
            None => Rc::new(world),
            Some(envelope) => {
                let world = Rc::new(world);
                let mut rig = Rig::on(&world, world.erased.copy(), Present::Two, 1);
                rig.install(&envelope);
                let installed = Some(rig.flash.copy());
                Rc::new(Self {
                    people: world.people.clone(),
                    fixtures: world.fixtures.clone(),
                    erased: world.erased.copy(),
                    installed,
                })
            }
        };
        WORLD.set(Some(world.clone()));
        world
    }
}
