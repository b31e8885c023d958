//! Bits that flip at rest: what is rotten is never offered as if it were
//! whole, and one bit in a journal record does nothing at all.

mod common;

use common::sweep::is_long;
use common::{capsule, fake_key, flash_pages, layout};
use sealift_manifest::{PublicKey, Sign, verify};
use sealift_storage::sim::{Capsule, Driver, MockFlash, Operation, Torn};
use sealift_storage::{ComponentStatus, Error, Layout, Opened, Phase, SlotId, SlotInfo, Store};

use Operation::{Abort, Activate, Attempt, Confirm, Open, Remove, Revert, Rollback, Write};

const SLOT_PAGES: u16 = 5;
/// Bits of a record with its seals, one byte to a word.
const RECORD_BITS: usize = 128 * 8;

type Flash<const WORD: usize, const PAGE: usize> = MockFlash<WORD, PAGE>;

fn layout_of<const PAGE: usize>() -> Layout<2> {
    layout(u32::try_from(PAGE).expect("small"), SLOT_PAGES)
}

fn mount<const WORD: usize, const PAGE: usize>(
    mut flash: Flash<WORD, PAGE>,
) -> Store<Flash<WORD, PAGE>, 2, WORD> {
    flash.power_on();
    Store::mount(flash, layout_of::<PAGE>()).expect("mounts")
}

fn status<const WORD: usize, const PAGE: usize>(
    store: &Store<Flash<WORD, PAGE>, 2, WORD>,
) -> ComponentStatus {
    store.status(0).expect("vm1")
}

fn capsules() -> Vec<Capsule> {
    (1..=4)
        .map(|sequence| capsule("vm1", sequence, sequence - 1, 64))
        .collect()
}

fn driver<const WORD: usize, const PAGE: usize>() -> Driver<WORD, PAGE, 2> {
    let flash = MockFlash::with_garbage(flash_pages(SLOT_PAGES), 11);
    Driver::new(flash, layout_of::<PAGE>(), SLOT_PAGES, capsules(), 64).expect("mounts")
}

/// What a device does before it runs a slot: the head from flash is verified,
/// then the payload in flash is checked against it.
fn start<const WORD: usize, const PAGE: usize>(
    store: &mut Store<Flash<WORD, PAGE>, 2, WORD>,
    info: SlotInfo,
) -> Result<(), String> {
    let anchor = PublicKey::from_bytes(&fake_key().public_key()).expect("valid");
    let mut head = [0; 1024];
    let head = store
        .read_head(0, info.slot, &mut head)
        .map_err(|e| e.to_string())?;
    let manifest = verify(head, &[anchor]).map_err(|e| e.to_string())?;
    store
        .check_payload(0, info.slot, &manifest)
        .map_err(|e| e.to_string())
}

/// Starts whatever is offered, and demands that what starts is whole. Says
/// how many did.
fn start_all<const WORD: usize, const PAGE: usize>(
    store: &mut Store<Flash<WORD, PAGE>, 2, WORD>,
    capsules: &[Capsule],
) -> usize {
    let status = status(store);
    let mut started = 0;
    for info in status.active.into_iter().chain(status.previous) {
        if start(store, info).is_ok() {
            let capsule = capsules
                .iter()
                .find(|capsule| capsule.manifest.digest == info.digest)
                .expect("no capsule that was never signed");
            let mut payload = vec![0; capsule.payload.len()];
            store
                .read_payload(0, info.slot, 0, &mut payload)
                .expect("it started");
            assert_eq!(payload, capsule.payload, "bytes that were not signed ran");
            started += 1;
        }
    }
    started
}

/// All states of a life, each reached by one record.
fn life() -> Vec<Operation> {
    let install = |i| [Open(i), Write(64), Activate(i, 3), Attempt, Confirm(i)];
    let mut life = install(0).to_vec();
    life.extend(install(1));
    life.push(Rollback);
    life.extend([Open(2), Write(64), Abort]);
    life.extend([Open(2), Write(64), Activate(2, 1), Attempt, Revert]);
    life.extend(&install(3)[..4]);
    life.push(Remove);
    life
}

/// Bit numbers of the journal of vm1.
fn journal<const PAGE: usize>() -> std::ops::Range<usize> {
    let start = common::MARGIN_PAGES as usize * PAGE * 8;
    start..start + 2 * PAGE * 8
}

#[test]
fn a_capsule_with_any_bit_flipped_does_not_start() {
    let capsules = capsules();
    let mut driver = driver::<4, 512>();
    for operation in &life()[..10] {
        driver.operate(0, *operation).expect("as the model says");
    }
    let store = driver.store().expect("mounted");
    let status = status(store);
    let active = status.active.expect("2");
    assert_eq!(start(store, active), Ok(()));
    let flash = store.flash().clone();
    let payload = store.payload_range(0, active.slot).expect("a capsule");
    let head = payload.start - 1024..payload.start - 1024 + u32::from(active.head_len);
    for byte in head.chain(payload) {
        for bit in 0..8 {
            let mut flash = flash.clone();
            flash.rot(byte as usize * 8 + bit);
            let mut store = mount(flash);
            assert_eq!(store.status(0), Some(status), "the journal is not touched");
            let started = start(&mut store, active);
            assert!(started.is_err(), "byte {byte}, bit {bit}");
        }
    }
    assert_eq!(start_all(&mut mount(flash), &capsules), 2);
}

#[test]
fn a_transfer_with_any_bit_flipped_is_not_activated() {
    let mut driver = driver::<8, 1024>();
    for operation in [Open(0), Write(64)] {
        driver.operate(0, operation).expect("as the model says");
    }
    let manifest = &capsules()[0].manifest;
    let flash = driver.store().expect("mounted").flash().clone();
    let slot = (common::MARGIN_PAGES as usize + 2) * 1024;
    for bit in 0..64 * 8 {
        let mut flash = flash.clone();
        flash.rot((slot + 1024) * 8 + bit);
        let mut store = mount(flash);
        let activated = store.activate(0, manifest, 3);
        assert_eq!(activated, Err(Error::WrongPayload), "bit {bit}");
        assert_eq!(status(&store).transfer, None, "it can be sent again");
    }
}

/// Any one bit of both journal pages, after each record of a life: no effect,
/// at this mount and at the next. Quickly, every seventh bit, others after each.
fn one_bit_of_the_journal<const WORD: usize, const PAGE: usize>() {
    let stride = if is_long() { 1 } else { 7 };
    let mut driver = driver::<WORD, PAGE>();
    for (i, operation) in life().into_iter().enumerate() {
        driver.operate(0, operation).expect("as the model says");
        let flash = driver.store().expect("mounted").flash().clone();
        let expected = mount(flash.clone()).status(0);
        for bit in journal::<PAGE>().skip(i % stride).step_by(stride) {
            let mut rotten = flash.clone();
            rotten.rot(bit);
            let store = mount(rotten);
            assert_eq!(store.status(0), expected, "{operation:?}, bit {bit}");
            let store = mount(store.into_flash());
            assert_eq!(store.status(0), expected, "{operation:?}, bit {bit}, again");
        }
    }
}

#[test]
fn one_flipped_bit_in_a_journal_has_no_effect() {
    one_bit_of_the_journal::<1, 512>();
    one_bit_of_the_journal::<8, 256>();
    one_bit_of_the_journal::<256, 1024>();
}

/// The same, with a cut in the mount that puts it right.
fn one_bit_and_a_cut<const WORD: usize, const PAGE: usize>() {
    let mut driver = driver::<WORD, PAGE>();
    for (i, operation) in life().into_iter().enumerate() {
        driver.operate(0, operation).expect("as the model says");
        if i % 3 != 0 {
            continue;
        }
        let flash = driver.store().expect("mounted").flash().clone();
        let expected = mount(flash.clone()).status(0);
        for bit in journal::<PAGE>().skip(i % 31).step_by(31) {
            for (t, torn) in Torn::ALL.into_iter().enumerate() {
                let mut rotten = flash.clone();
                rotten.rot(bit);
                let seed = (bit * Torn::ALL.len() + t) as u64;
                // In the erase, in the record or in its seals.
                let at = match seed % 3 {
                    0 => seed.wrapping_mul(0x9E37_79B9) % PAGE as u64,
                    _ => PAGE as u64 + seed.wrapping_mul(0x9E37_79B9) % 150,
                };
                rotten.cut_at(at, torn, seed);
                rotten.power_on();
                // On loan, since it comes back even if the power goes off.
                let _ = Store::<_, 2, WORD>::mount(&mut rotten, layout_of::<PAGE>());
                rotten.cancel_cut();
                let mut flash = rotten;
                for _ in 0..2 {
                    let store = mount(flash);
                    assert_eq!(
                        store.status(0),
                        expected,
                        "{operation:?}, bit {bit}, {torn:?} at {at}"
                    );
                    flash = store.into_flash();
                }
            }
        }
    }
}

#[test]
fn one_flipped_bit_and_a_cut_in_its_repair_have_no_effect() {
    one_bit_and_a_cut::<1, 512>();
    one_bit_and_a_cut::<8, 256>();
}

/// A device with a capsule on trial, restarted, and the tries that are left.
fn on_trial<const WORD: usize, const PAGE: usize>() -> (Flash<WORD, PAGE>, u8) {
    let mut driver = driver::<WORD, PAGE>();
    for operation in [Open(0), Write(64), Activate(0, 9), Attempt] {
        driver.operate(0, operation).expect("as the model says");
    }
    driver.restart().expect("mounts");
    (driver.store().expect("mounted").flash().clone(), 8)
}

fn tries_left<const WORD: usize, const PAGE: usize>(
    store: &Store<Flash<WORD, PAGE>, 2, WORD>,
) -> u8 {
    let active = status(store).active.expect("on trial");
    match active.phase {
        Phase::Trial { tries_left } => tries_left,
        Phase::Confirmed => panic!("not confirmed"),
    }
}

/// A cut in one of three attempts, then one flipped bit: as many tries are left
/// as before or after that attempt, at this mount and at the next.
fn a_cut_and_one_bit<const WORD: usize, const PAGE: usize>() {
    let (flash, tries) = on_trial::<WORD, PAGE>();
    // Unstable bits and rot are more than one page can make up for.
    let modes = [Torn::Old, Torn::New, Torn::Prefix, Torn::Mix];
    let steps = PAGE as u64 + 3 * 150;
    for at in (0..steps).step_by(if is_long() { 3 } else { 29 }) {
        let torn = modes[usize::try_from(at).expect("small") % modes.len()];
        let mut cut = flash.clone();
        cut.power_on();
        cut.cut_at(at, torn, at);
        let mut left = tries;
        if let Ok(mut store) = Store::<_, 2, WORD>::mount(&mut cut, layout_of::<PAGE>()) {
            while left > 5 && store.begin_attempt(0).is_ok() {
                left -= 1;
            }
        }
        cut.cancel_cut();
        for bit in journal::<PAGE>()
            .skip(usize::try_from(at).expect("small") % 43)
            .step_by(43)
        {
            let mut rotten = cut.clone();
            rotten.rot(bit);
            no_more_is_lost(rotten, left, &format!("{torn:?} at {at}, bit {bit}"));
        }
    }
}

/// So many tries are left as before or after the attempt that was cut, at this mount
/// and at the next.
fn no_more_is_lost<const WORD: usize, const PAGE: usize>(
    flash: Flash<WORD, PAGE>,
    left: u8,
    what: &str,
) {
    let store = mount(flash);
    let found = tries_left(&store);
    assert!(
        found == left || found + 1 == left,
        "{what}: {found}, not {left}"
    );
    assert_eq!(tries_left(&mount(store.into_flash())), found);
}

#[test]
fn a_cut_and_then_one_flipped_bit_lose_no_more_than_the_cut() {
    a_cut_and_one_bit::<1, 512>();
    a_cut_and_one_bit::<8, 1024>();
}

/// A cut in the second or third of three attempts, then one flipped bit, then a
/// cut in the mount that puts it right: still no more is lost than that attempt.
fn a_cut_and_one_bit_and_a_cut<const WORD: usize, const PAGE: usize>() {
    let stride = if is_long() { 7 } else { 61 };
    // Unstable bits and rot are more than one page can make up for.
    let modes = [Torn::Old, Torn::New, Torn::Prefix, Torn::Mix];
    let (flash, tries) = on_trial::<WORD, PAGE>();
    let seal = WORD.max(4);
    let place = 128 + 2 * seal;
    // In a record, and in each of its seals.
    let places = [70, 128, 129, 128 + seal].map(|at| PAGE + at);
    let places = places
        .into_iter()
        .flat_map(|at| [at + place, at + 2 * place]);
    for (at, torn) in places.flat_map(|at| modes.map(|torn| (at, torn))) {
        let mut cut = flash.clone();
        cut.power_on();
        cut.cut_at(at as u64, torn, at as u64);
        let mut left = tries;
        let store = Store::<_, 2, WORD>::mount(&mut cut, layout_of::<PAGE>());
        let mut store = store.expect("there was no cut before");
        while store.begin_attempt(0).is_ok() {
            left -= 1;
        }
        assert!(tries - left >= 1, "one of them was acknowledged");
        for bit in journal::<PAGE>().skip(at % stride).step_by(stride) {
            // In the erase, in the record and in its first seal.
            for (i, at) in [bit % PAGE, PAGE + bit % 128, PAGE + 129]
                .into_iter()
                .enumerate()
            {
                let mut rotten = cut.clone();
                rotten.rot(bit);
                rotten.cut_at(at as u64, modes[(bit + i) % modes.len()], bit as u64);
                rotten.power_on();
                // On loan, since it comes back even if the power goes off.
                let _ = Store::<_, 2, WORD>::mount(&mut rotten, layout_of::<PAGE>());
                rotten.cancel_cut();
                let what = format!("{torn:?}, bit {bit}, then at {at}");
                no_more_is_lost(rotten, left, &what);
            }
        }
    }
}

#[test]
fn a_cut_and_then_one_flipped_bit_and_a_cut_in_its_repair_lose_no_more() {
    a_cut_and_one_bit_and_a_cut::<1, 512>();
    a_cut_and_one_bit_and_a_cut::<8, 1024>();
}

/// Where the record of the last operation is, as bit number: pages are large
/// enough for a whole life, so it is the last one that is not erased.
fn last_record(flash: &Flash<1, 4096>) -> usize {
    let first = journal::<4096>().start / 8;
    let place = 128 + 2 * 4;
    let used = |at: &usize| flash.bytes()[*at..*at + place].iter().any(|b| *b != 0xFF);
    let last = (first..first + 4096 - place)
        .step_by(place)
        .take_while(used)
        .last();
    last.expect("a record") * 8
}

#[test]
fn two_flipped_bits_in_the_newest_record_bring_the_one_before_back() {
    let capsules = capsules();
    let mut driver = driver::<1, 4096>();
    let mut before = None;
    for operation in life() {
        driver.operate(0, operation).expect("as the model says");
        let flash = driver.store().expect("mounted").flash().clone();
        let record = last_record(&flash);
        if let Some(before) = before.replace(mount(flash.clone()).status(0)) {
            for (one, other) in [(0, 1), (40, 1023), (70, 400), (130, 131), (1000, 200)] {
                let mut rotten = flash.clone();
                rotten.rot(record + one);
                rotten.rot(record + other);
                let mut store = mount(rotten);
                assert_eq!(store.status(0), before, "without {operation:?}");
                // A transfer that is forgotten took the slot of the previous
                // capsule: that one is offered again, and does not start.
                let offered = status(&store);
                let offered = offered.active.iter().chain(&offered.previous).count();
                let damaged = offered - start_all(&mut store, &capsules);
                assert_eq!(damaged, usize::from(operation == Open(2) && offered == 2));
                let store = mount(store.into_flash());
                assert_eq!(store.status(0), before, "without {operation:?}, again");
            }
        }
    }
}

#[test]
fn two_flipped_bits_can_take_floor_and_highest_one_step_back() {
    let mut driver = driver::<1, 4096>();
    let mut seen = Vec::new();
    for operation in &life()[..10] {
        driver.operate(0, *operation).expect("as the model says");
        let mut flash = driver.store().expect("mounted").flash().clone();
        let record = last_record(&flash);
        let now = status(driver.store().expect("mounted"));
        flash.rot(record);
        flash.rot(record + RECORD_BITS - 1);
        let then = status(&mount(flash));
        if (then.floor, then.highest) != (now.floor, now.highest) {
            let trial = then.active.map(|info| info.phase);
            seen.push((*operation, then.floor, then.highest, trial));
        }
    }
    assert_eq!(
        seen,
        [
            (Activate(0, 3), 0, 0, None),
            // The floor of capsule 1 is 0, that of capsule 2 is 1.
            (Activate(1, 3), 0, 1, Some(Phase::Confirmed)),
            (Confirm(1), 0, 2, Some(Phase::Trial { tries_left: 2 })),
        ]
    );
}

#[test]
fn a_record_that_comes_back_may_offer_a_slot_that_is_gone_and_it_does_not_start() {
    let capsules: Vec<Capsule> = (1..=3)
        .map(|sequence| capsule("vm1", sequence, 0, 64))
        .collect();
    let flash = MockFlash::<1, 4096>::new(flash_pages(SLOT_PAGES));
    let layout = layout_of::<4096>();
    let mut driver = Driver::new(flash, layout, SLOT_PAGES, capsules.clone(), 64).expect("mounts");
    for i in [0, 1] {
        for operation in [Open(i), Write(64), Activate(i, 3), Confirm(i)] {
            driver.operate(0, operation).expect("as the model says");
        }
    }
    // The transfer takes the slot of the capsule to roll back to.
    driver.operate(0, Open(2)).expect("as the model says");
    let mut flash = driver.store().expect("mounted").flash().clone();
    let record = last_record(&flash);
    flash.rot(record + 5);
    flash.rot(record + 50);
    let mut store = mount(flash);
    let offered = status(&store);
    let previous = offered.previous.expect("by the record before");
    assert_eq!(previous.sequence, 1);
    assert!(start(&mut store, previous).is_err(), "its page was erased");
    assert_eq!(start_all(&mut store, &capsules), 1, "the active one");
    let opened = store.open_transfer(0, &capsules[2].manifest, capsules[2].head);
    assert_eq!(opened, Ok(Opened::New));
}

#[test]
fn rot_in_what_is_not_written_yet_is_found_when_it_is_written() {
    // In the page that a transfer fills.
    let mut driver = driver::<8, 2048>();
    driver.operate(0, Open(0)).expect("as the model says");
    let slot = (common::MARGIN_PAGES as usize + 2) * 2048;
    driver.rot((slot + 1024 + 30) * 8).expect("mounted");
    let capsule = &capsules()[0];
    let store = driver.store().expect("mounted");
    let worn = store.write(0, 0, &capsule.payload);
    assert!(matches!(worn, Err(Error::Worn { .. })), "{worn:?}");
    assert_eq!(
        status(store).transfer,
        None,
        "at the last whole page: none is"
    );
    store
        .open_transfer(0, &capsule.manifest, capsule.head)
        .expect("opened");
    store.write(0, 0, &capsule.payload).expect("written");
    store.activate(0, &capsule.manifest, 2).expect("whole");

    // In the place of the next record.
    let flash = store.flash().clone();
    driver.remount(flash).expect("mounts");
    let store = driver.store().expect("mounted");
    assert_eq!(store.begin_attempt(0), Ok(1));
    let bytes = store.flash().bytes();
    let free: Vec<usize> = [2048, 4096]
        .into_iter()
        .flat_map(|page| (page..page + 2048 - 144).step_by(144))
        .filter(|at| bytes[*at..*at + 144].iter().all(|byte| *byte == 0xFF))
        .collect();
    for at in free {
        driver.rot(at * 8).expect("mounted");
    }
    let store = driver.store().expect("mounted");
    let worn = store.begin_attempt(0);
    assert!(matches!(worn, Err(Error::Worn { .. })), "{worn:?}");
    assert_eq!(store.begin_attempt(0), Ok(0), "in the other page");
    let phase = Phase::Trial { tries_left: 0 };
    let status = status(&mount(store.flash().clone()));
    assert_eq!(status.active.map(|info| info.phase), Some(phase));
}

#[test]
fn however_much_is_rotten_only_signed_bytes_start_and_the_store_goes_on() {
    let capsules = capsules();
    let mut random = 1_u64;
    let mut below = |limit: usize| {
        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        usize::try_from(random >> 33).expect("31 bits") % limit
    };
    let mut driver = driver::<4, 512>();
    let mut started = 0;
    let next = capsule("vm1", 100, 0, 64);
    for operation in life() {
        driver.operate(0, operation).expect("as the model says");
        let flash = driver.store().expect("mounted").flash().clone();
        for round in 0..60 {
            let mut rotten = flash.clone();
            for _ in 0..=below(1 << (round % 12)) {
                rotten.rot(below(rotten.bytes().len() * 8));
            }
            let mut store = mount(rotten);
            started += start_all(&mut store, &capsules);
            store.remove(0).expect("the flash works");
            store
                .open_transfer(0, &next.manifest, next.head)
                .expect("above all that were");
            store.write(0, 0, &next.payload).expect("the flash works");
            store.activate(0, &next.manifest, 1).expect("whole");
            let active = status(&store).active.expect("the new one");
            assert_eq!((active.sequence, active.slot), (100, SlotId::A));
            assert_eq!(start(&mut store, active), Ok(()));
        }
    }
    assert!(started > 100, "some of it was whole: {started}");
}
