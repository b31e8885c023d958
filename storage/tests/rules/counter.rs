//! The counter: it rises, and a power cut leaves the number before or the one
//! after.

use sealift_storage::sim::Torn;

use super::*;

const SMALL: Layout<1> = Layout::new(2048, 1, ["vm1"]).with_counter();
const PAGES: usize = 1 + 4 + 2;

fn mount<const WORD: usize>(
    mut flash: MockFlash<WORD, 2048>,
) -> Store<MockFlash<WORD, 2048>, 1, WORD> {
    flash.power_on();
    Store::mount(flash, SMALL).expect("mounts")
}

#[test]
fn it_only_rises_and_survives_restarts() {
    assert_eq!(SMALL.size(2048), Some(6 * 2048));
    let mut store = mount(MockFlash::<8, 2048>::with_garbage(PAGES, 5));
    assert_eq!(store.counter(), Some(0));
    for number in [3, 4, 4, 1 << 40] {
        assert_eq!(store.raise_counter(number), Ok(()));
        store = mount(store.into_flash());
        assert_eq!(store.counter(), Some(number));
    }
    let highest = 1 << 40;
    assert_eq!(
        store.raise_counter(highest - 1),
        Err(Error::OldSequence { highest })
    );
    assert_eq!(store.counter(), Some(highest));
    assert_eq!(store.status(0).expect("vm1").highest, 0);
}

#[test]
fn what_is_there_already_costs_no_write() {
    let mut store = mount(MockFlash::<8, 2048>::new(PAGES));
    store.raise_counter(7).expect("rises");
    let before = store.flash().steps();
    store.raise_counter(7).expect("is there");
    assert_eq!(store.flash().steps(), before);
}

#[test]
fn a_layout_without_one_has_none() {
    let mut device = device();
    assert_eq!(device.counter(), None);
    assert_eq!(device.raise_counter(1), Err(Error::UnknownComponent));
}

fn cuts<const WORD: usize>() {
    for torn in Torn::ALL {
        // Far enough for the journal to go over to its other page.
        let mut step = 0;
        for cut in 0.. {
            let mut flash = MockFlash::<WORD, 2048>::new(PAGES);
            flash.cut_at(cut * 61, torn, cut);
            let mut store = mount_off(flash);
            let mut reached = 0;
            while reached < 40 && store.raise_counter(reached + 1).is_ok() {
                reached += 1;
            }
            let mut flash = store.into_flash();
            let was_cut = flash.is_off();
            flash.cancel_cut();
            let store = mount(flash);
            let found = store.counter().expect("a counter");
            assert!(
                found == reached || was_cut && found == reached + 1,
                "{WORD} {torn:?} {cut}: {reached}, {found}"
            );
            step = cut;
            if !was_cut {
                break;
            }
        }
        assert!(step > 20, "{WORD} {torn:?}: only {step} cuts");
    }
}

fn mount_off<const WORD: usize>(
    flash: MockFlash<WORD, 2048>,
) -> Store<MockFlash<WORD, 2048>, 1, WORD> {
    Store::mount(flash, SMALL).expect("nothing to write yet")
}

#[test]
fn a_power_cut_leaves_the_number_before_or_after() {
    cuts::<1>();
    cuts::<4>();
    cuts::<8>();
}
