//! The component of the trust record: a power cut at any place of an update
//! leaves the old record or the new one, whole, and never a lower number.

mod common;

use common::sweep::{is_long, say, seed};
use common::{MARGIN_PAGES, NAMES, capsule};
use sealift_manifest::{MAX_TRUST, TRUST};
use sealift_storage::sim::{Access, Capsule, MockError, MockFlash, Torn};
use sealift_storage::{Error, Layout, LayoutError, Opened, Phase, Store};

/// The number of the component behind two others.
const C: usize = 2;
/// Payload bytes in one write: words and pages end within it.
const CHUNK: usize = 217;

type Flash<const WORD: usize, const PAGE: usize> = MockFlash<WORD, PAGE>;

fn layout<const PAGE: usize>() -> Layout<2> {
    let page = u32::try_from(PAGE).expect("small");
    let slot_pages = u16::try_from(2048_usize.div_ceil(PAGE).max(2)).expect("few");
    Layout::new(MARGIN_PAGES * page, slot_pages, NAMES)
        .with_counter()
        .with_trust()
}

fn flash<const WORD: usize, const PAGE: usize>() -> Flash<WORD, PAGE> {
    let page = u32::try_from(PAGE).expect("small");
    let size = layout::<PAGE>().size(page).expect("small");
    let mut flash = MockFlash::new((size / page + 2 * MARGIN_PAGES) as usize);
    flash.demand_fresh_pages();
    flash
}

/// Takes a record in as a device does: as often as it is told to.
fn take<const WORD: usize, const PAGE: usize>(
    store: &mut Store<Flash<WORD, PAGE>, 2, WORD>,
    record: &Capsule,
) -> Result<(), Error<MockError>> {
    let trial = |store: &Store<_, 2, WORD>| {
        let active = store.status(C).expect("there").active;
        active.is_some_and(|active| active.phase != Phase::Confirmed)
    };
    if trial(store) {
        // A cut was between the two records.
        let active = store.status(C).expect("there").active.expect("a trial");
        assert_eq!(active.digest, record.manifest.digest);
        return store.confirm(C, &record.manifest);
    }
    if store.open_transfer(C, &record.manifest, record.head)? == Opened::AlreadyActive {
        return Ok(());
    }
    loop {
        let transfer = store.status(C).expect("there").transfer.expect("open");
        let from = transfer.received as usize;
        let end = record.payload.len().min(from + CHUNK);
        if from == end {
            break;
        }
        store.write(C, transfer.received, &record.payload[from..end])?;
    }
    store.activate(C, &record.manifest, 1)?;
    store.confirm(C, &record.manifest)
}

/// Checks that one of these is there, whole, and which.
fn whole<const WORD: usize, const PAGE: usize>(
    store: &mut Store<Flash<WORD, PAGE>, 2, WORD>,
    records: &[&Capsule; 2],
    what: &str,
) -> u64 {
    let status = store.status(C).expect("there");
    let active = status.active.unwrap_or_else(|| panic!("{what}: none"));
    assert_eq!(status.highest, active.sequence, "{what}");
    let record = records
        .iter()
        .find(|record| record.manifest.digest == active.digest)
        .unwrap_or_else(|| panic!("{what}: another one"));
    let mut head = [0; 1024];
    let head = store.read_head(C, active.slot, &mut head).expect("reads");
    assert_eq!(head, record.head, "{what}");
    store
        .check_payload(C, active.slot, &record.manifest)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    active.sequence
}

/// Where a cut leaves something different.
fn places(access: &Access) -> Vec<u64> {
    let samples = match is_long() && !access.is_erase {
        true => 16.min(access.len),
        false => 4.min(access.len),
    };
    let places = (0..samples).map(|i| access.step + (access.len - 1) * i / samples.max(2));
    let mut places: Vec<u64> = places.chain([access.step + access.len - 1]).collect();
    places.dedup();
    places
}

fn sweep<const WORD: usize, const PAGE: usize>() {
    let old = capsule(TRUST, 1, 0, 1000);
    let new = capsule(TRUST, 2, 0, MAX_TRUST);
    let both = [&old, &new];
    let start = || {
        let store = Store::<_, 2, WORD>::mount(flash::<WORD, PAGE>(), layout::<PAGE>());
        let mut store = store.expect("mounts");
        take(&mut store, &old).expect("the first record");
        store
    };
    let mut flash = start().into_flash();
    flash.start_log();
    let mut store = Store::<_, 2, WORD>::mount(flash, layout::<PAGE>()).expect("mounts");
    take(&mut store, &new).expect("the second record");
    let log = store.flash().log().to_vec();
    let first = log.first().map_or(0, |access| access.step);

    let mut cuts = 0_u32;
    let mut found = [0_u32; 2];
    for torn in Torn::ALL {
        for step in log.iter().flat_map(places) {
            let what = format!("{WORD}-byte words, {PAGE}-byte pages, {torn:?} at {step}");
            let mut flash = start().into_flash();
            flash.cut_at(step - first, torn, step ^ seed());
            let mount = Store::<_, 2, WORD>::mount(flash, layout::<PAGE>());
            let mut store = mount.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(take(&mut store, &new).is_err(), "{what}: none came");
            let mut flash = store.into_flash();
            assert!(flash.is_off(), "{what}");
            // Whatever the first restart finds, the second one does, too.
            let mut before = 0;
            for _ in 0..2 {
                flash.power_on();
                let mount = Store::<_, 2, WORD>::mount(flash, layout::<PAGE>());
                let mut store = mount.unwrap_or_else(|error| panic!("{what}: {error}"));
                let sequence = whole(&mut store, &both, &what);
                assert!(sequence >= before, "{what}: {sequence} after {before}");
                before = sequence;
                flash = store.into_flash();
            }
            found[usize::from(before == 2)] += 1;
            // And it can be done again, to its end.
            let mut store = Store::<_, 2, WORD>::mount(flash, layout::<PAGE>()).expect("mounts");
            take(&mut store, &new).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(whole(&mut store, &both, &what), 2, "{what}");
            let again = store.open_transfer(C, &old.manifest, old.head);
            assert_eq!(again, Err(Error::OldSequence { highest: 2 }), "{what}");
            cuts += 1;
        }
    }
    let [old, new] = found;
    say(&format!(
        "{WORD}-byte words, {PAGE}-byte pages: {cuts} cuts, {old} left the old record, {new} the new"
    ));
    assert!(old > 0 && new > 0, "cuts on both sides");
    assert!(cuts > if is_long() { 500 } else { 100 });
}

#[test]
fn words_of_1_byte() {
    sweep::<1, 512>();
}

#[test]
fn words_of_4_bytes() {
    sweep::<4, 4096>();
}

#[test]
fn words_of_8_bytes() {
    sweep::<8, 1024>();
}

#[test]
fn it_lies_behind_the_others_and_touches_nothing_of_theirs() {
    let plain = Layout::new(4096, 2, NAMES).with_counter();
    let with = plain.with_trust();
    // Two pages of journal, and two slots of one page.
    assert_eq!(
        with.size(4096),
        plain.size(4096).map(|size| size + 4 * 4096)
    );
    assert_eq!(with.name(2), Some(TRUST));
    assert_eq!(plain.name(2), None);
    let capacity = 4096 + 4096 * (2 * 6 + 2);
    assert_eq!(plain.check::<Flash<4, 4096>>(capacity), Ok(()));
    assert_eq!(
        with.check::<Flash<4, 4096>>(capacity),
        Err(LayoutError::TooLarge)
    );
    let taken = Layout::new(4096, 2, ["vm1", TRUST]).with_trust();
    assert_eq!(
        taken.check::<Flash<4, 4096>>(1 << 20),
        Err(LayoutError::DuplicateName)
    );
}

#[test]
fn a_record_that_is_too_long_or_for_another_component_is_refused() {
    let mut store = Store::<_, 2, 4>::mount(flash::<4, 4096>(), layout::<4096>()).expect("mounts");
    assert_eq!(store.payload_capacity(C), 3072);
    let long = capsule(TRUST, 1, 0, 3073);
    let refused = store.open_transfer(C, &long.manifest, long.head);
    assert_eq!(refused, Err(Error::TooLarge { capacity: 3072 }));
    let other = capsule("vm1", 1, 0, 10);
    let refused = store.open_transfer(C, &other.manifest, other.head);
    assert_eq!(refused, Err(Error::WrongComponent));
    let record = capsule(TRUST, 1, 0, 10);
    let refused = store.open_transfer(0, &record.manifest, record.head);
    assert_eq!(refused, Err(Error::WrongComponent));
}
