//! One test for each rule of the store.

mod common;

use common::{capsule, flash_pages, layout, payload, with_payload};
use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use sealift_storage::sim::{Capsule, MockError, MockFlash};
use sealift_storage::{
    ComponentStatus, Error, Layout, LayoutError, Opened, Phase, Region, RegionError, SlotId, Store,
};

const PAGE: u32 = 2048;
const SLOT_PAGES: u16 = 3;
const CAPACITY: u32 = PAGE * SLOT_PAGES as u32 - 1024;
const LAYOUT: Layout<2> = layout(PAGE, SLOT_PAGES);

type Flash = MockFlash<8, 2048>;
type Device = Store<Flash, 2>;
type Result<T> = core::result::Result<T, Error<MockError>>;

fn device() -> Device {
    let mut flash = Flash::with_garbage(flash_pages(SLOT_PAGES), 3);
    flash.demand_fresh_pages();
    Store::mount(flash, LAYOUT).expect("mounts")
}

fn restart(device: Device) -> Device {
    let mut flash = device.into_flash();
    flash.power_on();
    Store::mount(flash, LAYOUT).expect("mounts")
}

fn status(device: &Device) -> ComponentStatus {
    device.status(0).expect("vm1")
}

fn open(device: &mut Device, capsule: &Capsule) -> Result<Opened> {
    device.open_transfer(0, &capsule.manifest, capsule.head)
}

fn send(device: &mut Device, capsule: &Capsule) -> Result<()> {
    open(device, capsule)?;
    for (i, part) in capsule.payload.chunks(64).enumerate() {
        device.write(0, u32::try_from(i * 64).expect("short"), part)?;
    }
    Ok(())
}

fn try_out(device: &mut Device, capsule: &Capsule) -> Result<()> {
    send(device, capsule)?;
    device.activate(0, &capsule.manifest, 3)
}

fn install(device: &mut Device, capsule: &Capsule) -> Result<()> {
    try_out(device, capsule)?;
    device.confirm(0, &capsule.manifest)
}

fn vm1(sequence: u64) -> Capsule {
    capsule("vm1", sequence, 0, 3001)
}

/// The active capsule's sequence number and whether it is confirmed.
fn active(device: &Device) -> Option<(u64, bool)> {
    let active = status(device).active?;
    Some((active.sequence, active.phase == Phase::Confirmed))
}

#[test]
fn a_flash_of_garbage_is_an_empty_store() {
    let device = device();
    let empty = ComponentStatus {
        active: None,
        previous: None,
        highest: 0,
        floor: 0,
        transfer: None,
    };
    assert_eq!(device.status(0), Some(empty));
    assert_eq!(device.status(1), Some(empty));
    assert_eq!(device.status(2), None);
    assert_eq!(device.component("vm2"), Some(1));
    assert_eq!(device.component("vm3"), None);
    assert_eq!(
        device.flash().steps(),
        0,
        "a mount of nothing writes nothing"
    );
}

#[test]
fn layouts_that_do_not_suit_the_flash_are_refused() {
    fn check<const N: usize>(layout: Layout<N>) -> core::result::Result<(), LayoutError> {
        layout.check::<MockFlash<8, 2048>>(20 * 2048)
    }
    let good = Layout::new(2048, 2, ["a", "b"]);
    assert_eq!(check(good), Ok(()));
    assert_eq!(good.size(2048), Some(2 * 6 * 2048));
    assert_eq!(Layout::new(0, u16::MAX, ["a"]).size(u32::MAX), None);
    let unaligned = Layout::new(2040, 2, ["a"]);
    assert_eq!(check(unaligned), Err(LayoutError::BaseUnaligned));
    let at_the_end = Layout::new(8 * 2048, 2, ["a", "b"]);
    assert_eq!(check(at_the_end), Ok(()));
    let beyond = Layout::new(9 * 2048, 2, ["a", "b"]);
    assert_eq!(check(beyond), Err(LayoutError::TooLarge));
    let far_beyond = Layout::new(u32::MAX - 2047, 2, ["a"]);
    assert_eq!(check(far_beyond), Err(LayoutError::TooLarge));
    assert_eq!(
        check(Layout::new(0, 0, ["a"])),
        Err(LayoutError::SlotTooSmall)
    );
    let twice = Layout::new(0, 1, ["a", "b", "a"]);
    assert_eq!(check(twice), Err(LayoutError::DuplicateName));

    let small = Layout::new(0, 2, ["a"]);
    assert_eq!(
        small.check::<MockFlash<8, 512>>(1 << 20),
        Err(LayoutError::SlotTooSmall)
    );
    assert_eq!(
        small.check::<MockFlash<8, 128>>(1 << 20),
        Err(LayoutError::PageSize),
        "too small for a record"
    );
    assert_eq!(
        small.check::<MockFlash<8, 1536>>(1 << 20),
        Err(LayoutError::PageSize)
    );
    assert_eq!(
        small.check::<MockFlash<12, 2040>>(1 << 20),
        Err(LayoutError::WordSize)
    );
    let mounted = Store::<_, 1>::mount(Flash::new(1), small);
    assert_eq!(mounted.err(), Some(Error::Layout(LayoutError::TooLarge)));
}

#[test]
fn an_unknown_component_is_refused_everywhere() {
    let mut device = device();
    let capsule = vm1(1);
    let manifest = &capsule.manifest;
    let unknown = Error::UnknownComponent;
    assert_eq!(device.open_transfer(2, manifest, &[1]), Err(unknown));
    assert_eq!(device.write(2, 0, &[]), Err(unknown));
    assert_eq!(device.abort_transfer(2), Err(unknown));
    assert_eq!(device.read_head(2, SlotId::A, &mut []), Err(unknown));
    assert_eq!(device.read_payload(2, SlotId::A, 0, &mut []), Err(unknown));
    assert_eq!(device.check_payload(2, SlotId::A, manifest), Err(unknown));
    assert_eq!(device.activate(2, manifest, 1), Err(unknown));
    assert_eq!(device.begin_attempt(2), Err(unknown));
    assert_eq!(device.confirm(2, manifest), Err(unknown));
    assert_eq!(device.rollback(2), Err(unknown));
    assert_eq!(device.revert(2), Err(unknown));
    assert_eq!(device.remove(2), Err(unknown));
    assert!(matches!(
        device.lend(2, SlotId::A),
        Err(Error::UnknownComponent)
    ));
    assert_eq!(device.payload_len(2, SlotId::A), None);
    assert_eq!(device.payload_range(2, SlotId::A), None);
}

#[test]
fn a_capsule_of_another_component_is_refused() {
    let mut device = device();
    let other = capsule("vm2", 1, 0, 100);
    assert_eq!(open(&mut device, &other), Err(Error::WrongComponent));
    assert_eq!(status(&device).transfer, None);
}

#[test]
fn a_head_must_fit_its_area() {
    let mut device = device();
    let capsule = vm1(1);
    for head in [&[][..], &[1; 1025]] {
        let opened = device.open_transfer(0, &capsule.manifest, head);
        assert_eq!(opened, Err(Error::HeadLength));
    }
    let opened = device.open_transfer(0, &capsule.manifest, &[1; 1024]);
    assert_eq!(opened, Ok(Opened::New));
    device.write(0, 0, &capsule.payload).expect("written");
    let mut head = [0; 1024];
    assert_eq!(
        device.read_head(0, SlotId::A, &mut head),
        Ok(&mut [1; 1024][..]).map(|head| &*head)
    );
}

#[test]
fn a_payload_must_fit_the_slot() {
    let mut device = device();
    let length = CAPACITY as usize;
    let too_large = capsule("vm1", 1, 0, length + 1);
    assert_eq!(
        open(&mut device, &too_large),
        Err(Error::TooLarge { capacity: CAPACITY })
    );
    install(&mut device, &capsule("vm1", 1, 0, length)).expect("fits exactly");
}

#[test]
fn only_a_sequence_number_above_the_highest_ever_activated_is_installed() {
    let mut device = device();
    install(&mut device, &vm1(5)).expect("installed");
    for sequence in [1, 4, 5] {
        let other = capsule("vm1", sequence, 0, 77);
        assert_eq!(
            open(&mut device, &other),
            Err(Error::OldSequence { highest: 5 })
        );
    }
    // An activated capsule counts even if it never was confirmed.
    try_out(&mut device, &vm1(8)).expect("on trial");
    device.revert(0).expect("reverted");
    device = restart(device);
    assert_eq!(
        open(&mut device, &vm1(8)),
        Err(Error::OldSequence { highest: 8 })
    );
    // And so it does after a removal.
    device.remove(0).expect("removed");
    device = restart(device);
    assert_eq!(
        open(&mut device, &vm1(8)),
        Err(Error::OldSequence { highest: 8 })
    );
    assert_eq!(open(&mut device, &vm1(9)), Ok(Opened::New));
}

#[test]
fn the_active_envelope_again_changes_nothing() {
    let mut device = device();
    let capsule = vm1(1);
    try_out(&mut device, &capsule).expect("on trial");
    let steps = device.flash().steps();
    assert_eq!(open(&mut device, &capsule), Ok(Opened::AlreadyActive));
    device.confirm(0, &capsule.manifest).expect("confirmed");
    assert_eq!(open(&mut device, &capsule), Ok(Opened::AlreadyActive));
    let record = 128 + 2 * 8;
    assert_eq!(device.flash().steps(), steps + record, "only the confirm");
}

#[test]
fn no_transfer_is_opened_during_a_trial() {
    let mut device = device();
    install(&mut device, &vm1(1)).expect("installed");
    try_out(&mut device, &vm1(2)).expect("on trial");
    assert_eq!(open(&mut device, &vm1(3)), Err(Error::TrialPending));
    device.revert(0).expect("reverted");
    assert_eq!(active(&device), Some((1, true)), "the fallback is there");
    assert_eq!(open(&mut device, &vm1(3)), Ok(Opened::New));
}

#[test]
fn opening_a_transfer_gives_the_previous_capsule_up() {
    let mut device = device();
    install(&mut device, &vm1(1)).expect("installed");
    install(&mut device, &vm1(2)).expect("installed");
    assert_eq!(status(&device).previous.map(|p| p.sequence), Some(1));
    open(&mut device, &vm1(3)).expect("opened");
    assert_eq!(status(&device).previous, None);
    assert_eq!(device.rollback(0), Err(Error::NoPrevious));
    assert_eq!(active(&restart(device)), Some((2, true)));
}

#[test]
fn another_capsule_replaces_an_open_transfer() {
    let mut device = device();
    let (first, second) = (vm1(1), vm1(2));
    open(&mut device, &first).expect("opened");
    device.write(0, 0, &[0; 100]).expect("written");
    assert_eq!(open(&mut device, &second), Ok(Opened::New));
    let transfer = status(&device).transfer.expect("open");
    assert_eq!((transfer.sequence, transfer.received), (2, 0));
    install(&mut device, &second).expect("installed");
}

#[test]
fn a_refused_capsule_does_not_disturb_an_open_transfer() {
    let mut device = device();
    install(&mut device, &vm1(1)).expect("installed");
    let capsule = vm1(3);
    open(&mut device, &capsule).expect("opened");
    device
        .write(0, 0, &capsule.payload[..100])
        .expect("written");
    let old = open(&mut device, &capsule_of_another_size(1));
    assert_eq!(old, Err(Error::OldSequence { highest: 1 }));
    assert_eq!(
        open(&mut device, &capsule),
        Ok(Opened::Resumed { received: 100 })
    );
}

fn capsule_of_another_size(sequence: u64) -> Capsule {
    capsule("vm1", sequence, 0, 5)
}

#[test]
fn received_is_exact_to_the_byte_whatever_the_pieces() {
    for piece in [1, 3, 7, 8, 9, 100, 2047, 2048, 2049] {
        let mut device = device();
        let capsule = vm1(1);
        open(&mut device, &capsule).expect("opened");
        let mut sent = 0;
        for part in capsule.payload.chunks(piece) {
            sent += u32::try_from(part.len()).expect("short");
            let at = sent - u32::try_from(part.len()).expect("short");
            assert_eq!(device.write(0, at, part), Ok(sent), "pieces of {piece}");
            let transfer = status(&device).transfer.expect("open");
            assert_eq!(transfer.received, sent);
        }
        device.activate(0, &capsule.manifest, 1).expect("activated");
        let mut found = vec![0; capsule.payload.len()];
        device
            .read_payload(0, SlotId::A, 0, &mut found)
            .expect("read");
        assert_eq!(found, capsule.payload, "pieces of {piece}");
    }
}

#[test]
fn bytes_must_follow_one_another_and_end_where_they_were_to() {
    let mut device = device();
    let capsule = vm1(1);
    assert_eq!(device.write(0, 0, &[1]), Err(Error::NoTransfer));
    open(&mut device, &capsule).expect("opened");
    device.write(0, 0, &capsule.payload[..10]).expect("written");
    for offset in [0, 9, 11] {
        assert_eq!(
            device.write(0, offset, &[1]),
            Err(Error::WrongOffset { received: 10 })
        );
    }
    assert_eq!(device.write(0, 10, &[]), Ok(10));
    let mut long = capsule.payload[10..].to_vec();
    long.push(0);
    assert_eq!(device.write(0, 10, &long), Err(Error::TooLong));
    assert_eq!(device.write(0, 10, &long[..long.len() - 1]), Ok(3001));
    assert_eq!(device.write(0, 3001, &[0]), Err(Error::TooLong));
}

#[test]
fn a_request_erases_only_the_pages_that_it_reaches() {
    let mut device = device();
    let capsule = capsule("vm1", 1, 0, CAPACITY as usize);
    let erases = |device: &Device| device.flash().erases().iter().sum::<u32>();
    open(&mut device, &capsule).expect("opened");
    assert_eq!(erases(&device), 2, "one of the journal, one of the slot");
    let mut at = 0;
    let mut most = 0;
    for part in capsule.payload.chunks(1024) {
        let before = erases(&device);
        at = device.write(0, at, part).expect("written");
        most = most.max(erases(&device) - before);
    }
    assert_eq!(most, 1);
    assert_eq!(erases(&device), 4);
}

#[test]
fn a_transfer_goes_on_at_a_page_boundary_after_a_restart() {
    let mut device = device();
    let capsule = capsule("vm1", 1, 0, 5000);
    let boundary = PAGE - 1024;
    open(&mut device, &capsule).expect("opened");
    device
        .write(0, 0, &capsule.payload[..1023])
        .expect("written");
    device = restart(device);
    assert_eq!(status(&device).transfer, None, "no page was whole");

    open(&mut device, &capsule).expect("opened");
    device
        .write(0, 0, &capsule.payload[..2000])
        .expect("written");
    device = restart(device);
    assert_eq!(
        open(&mut device, &capsule),
        Ok(Opened::Resumed { received: boundary })
    );
    let mut head = [0; 1024];
    let head = device.read_head(0, SlotId::A, &mut head).expect("read");
    assert_eq!(head, capsule.head);
    device
        .write(0, boundary, &capsule.payload[boundary as usize..])
        .expect("written");
    device = restart(device);
    let transfer = status(&device).transfer.expect("open");
    assert_eq!(transfer.received, 5000, "a whole transfer stays whole");
    device.activate(0, &capsule.manifest, 1).expect("activated");
}

#[test]
fn an_aborted_transfer_is_gone() {
    let mut device = device();
    assert_eq!(device.abort_transfer(0), Err(Error::NoTransfer));
    send(&mut device, &vm1(1)).expect("sent");
    device.abort_transfer(0).expect("aborted");
    device = restart(device);
    assert_eq!(status(&device).transfer, None);
    assert_eq!(device.write(0, 0, &[1]), Err(Error::NoTransfer));
}

#[test]
fn only_a_complete_transfer_of_this_manifest_is_activated() {
    let mut device = device();
    let (capsule, other) = (vm1(1), vm1(2));
    let activate = |device: &mut Device, by: &Capsule| device.activate(0, &by.manifest, 1);
    assert_eq!(activate(&mut device, &capsule), Err(Error::NoTransfer));
    open(&mut device, &capsule).expect("opened");
    device
        .write(0, 0, &capsule.payload[..3000])
        .expect("written");
    assert_eq!(
        activate(&mut device, &capsule),
        Err(Error::Incomplete { received: 3000 })
    );
    device
        .write(0, 3000, &capsule.payload[3000..])
        .expect("written");
    assert_eq!(activate(&mut device, &other), Err(Error::OtherManifest));
    assert_eq!(active(&device), None);
    activate(&mut device, &capsule).expect("activated");
    assert_eq!(active(&restart(device)), Some((1, false)));
}

#[test]
fn a_payload_that_is_not_the_signed_one_is_never_activated() {
    let good = payload(2, 3000);
    let mut bad = good.clone();
    bad[2999] ^= 0x01;
    let dishonest = with_payload("vm1", 2, 2, &good, bad);
    let mut device = device();
    install(&mut device, &vm1(1)).expect("installed");
    send(&mut device, &dishonest).expect("sent");
    assert_eq!(
        device.activate(0, &dishonest.manifest, 1),
        Err(Error::WrongPayload)
    );
    device = restart(device);
    assert_eq!(active(&device), Some((1, true)));
    assert_eq!(status(&device).transfer, None, "it can be sent again");
    assert_eq!(status(&device).highest, 1);
}

#[test]
fn what_is_hashed_is_what_is_in_flash() {
    let mut device = device();
    let capsule = vm1(1);
    send(&mut device, &capsule).expect("sent");
    let mut flash = device.into_flash();
    let at = usize::try_from(PAGE).expect("small") * 3 + 1024 + 3000;
    assert_eq!(flash.bytes()[at], capsule.payload[3000]);
    flash.bytes_mut()[at] ^= 0x10;
    let mut device: Device = Store::mount(flash, LAYOUT).expect("mounts");
    assert_eq!(
        device.check_payload(0, SlotId::A, &capsule.manifest),
        Err(Error::WrongPayload)
    );
    assert_eq!(
        device.activate(0, &capsule.manifest, 1),
        Err(Error::WrongPayload)
    );
}

#[test]
fn a_stored_capsule_is_checked_against_its_own_manifest_only() {
    let mut device = device();
    let capsule = vm1(1);
    let check =
        |device: &mut Device, by: &Capsule| device.check_payload(0, SlotId::A, &by.manifest);
    assert_eq!(check(&mut device, &capsule), Err(Error::NoCapsule));
    install(&mut device, &capsule).expect("installed");
    assert_eq!(check(&mut device, &capsule), Ok(()));
    assert_eq!(check(&mut device, &vm1(2)), Err(Error::OtherManifest));
}

#[test]
fn each_attempt_spends_a_try_that_a_restart_does_not_give_back() {
    let mut device = device();
    assert_eq!(device.begin_attempt(0), Err(Error::NoTrial));
    let capsule = vm1(1);
    send(&mut device, &capsule).expect("sent");
    device.activate(0, &capsule.manifest, 2).expect("activated");
    assert_eq!(device.begin_attempt(0), Ok(1));
    device = restart(device);
    assert_eq!(device.begin_attempt(0), Ok(0));
    device = restart(device);
    assert_eq!(device.begin_attempt(0), Err(Error::NoTriesLeft));
    device
        .confirm(0, &capsule.manifest)
        .expect("in its last try");
    assert_eq!(device.begin_attempt(0), Err(Error::NoTrial));
}

#[test]
fn confirm_needs_the_trial_and_its_own_manifest() {
    let mut device = device();
    let (capsule, other) = (vm1(1), capsule("vm1", 9, 9, 10));
    let none = device.confirm(0, &capsule.manifest);
    assert_eq!(none, Err(Error::NoTrial));
    try_out(&mut device, &capsule).expect("on trial");
    let wrong = device.confirm(0, &other.manifest);
    assert_eq!(wrong, Err(Error::OtherManifest));
    assert_eq!(status(&device).floor, 0);
    device.confirm(0, &capsule.manifest).expect("confirmed");
    let again = device.confirm(0, &capsule.manifest);
    assert_eq!(again, Err(Error::NoTrial));
}

#[test]
fn the_floor_rises_with_a_confirm_and_never_falls() {
    let mut device = device();
    let capsules = [
        capsule("vm1", 1, 1, 10),
        capsule("vm1", 5, 4, 11),
        capsule("vm1", 6, 2, 12),
    ];
    let mut floor = 0;
    for (capsule, risen) in capsules.iter().zip([1, 4, 4]) {
        try_out(&mut device, capsule).expect("on trial");
        assert_eq!(status(&device).floor, floor, "not before the confirm");
        device.confirm(0, &capsule.manifest).expect("confirmed");
        device = restart(device);
        floor = risen;
        assert_eq!(status(&device).floor, floor);
    }
    device.rollback(0).expect("5 is above the floor");
    device.remove(0).expect("removed");
    device = restart(device);
    assert_eq!((status(&device).floor, status(&device).highest), (4, 6));
}

#[test]
fn nothing_under_the_floor_is_put_back() {
    let mut device = device();
    install(&mut device, &vm1(3)).expect("installed");
    install(&mut device, &capsule("vm1", 4, 4, 10)).expect("installed");
    assert_eq!(status(&device).previous, None);
    assert_eq!(device.rollback(0), Err(Error::BelowFloor { floor: 4 }));
    assert_eq!(active(&device), Some((4, true)));
    // What is at the floor may be put back.
    install(&mut device, &capsule("vm1", 5, 4, 10)).expect("installed");
    device.rollback(0).expect("4 is at the floor");
    assert_eq!(active(&restart(device)), Some((4, true)));
}

#[test]
fn a_roll_back_from_a_confirmed_capsule_can_be_undone() {
    let mut device = device();
    assert_eq!(device.rollback(0), Err(Error::NoPrevious));
    install(&mut device, &vm1(1)).expect("installed");
    assert_eq!(device.rollback(0), Err(Error::NoPrevious));
    install(&mut device, &vm1(2)).expect("installed");
    for sequence in [1, 2, 1] {
        device.rollback(0).expect("rolled back");
        device = restart(device);
        assert_eq!(active(&device), Some((sequence, true)));
    }
    assert_eq!(status(&device).highest, 2);
}

#[test]
fn a_roll_back_from_a_trial_ends_it() {
    let mut device = device();
    try_out(&mut device, &vm1(1)).expect("on trial");
    assert_eq!(device.rollback(0), Err(Error::NoPrevious));
    device.confirm(0, &vm1(1).manifest).expect("confirmed");
    try_out(&mut device, &vm1(2)).expect("on trial");
    device.rollback(0).expect("rolled back");
    assert_eq!(active(&device), Some((1, true)));
    assert_eq!(device.rollback(0), Err(Error::NoPrevious));
}

#[test]
fn a_failed_trial_is_reverted_to_the_confirmed_capsule_or_to_nothing() {
    let mut device = device();
    assert_eq!(device.revert(0), Err(Error::NoTrial));
    try_out(&mut device, &vm1(1)).expect("on trial");
    device.revert(0).expect("reverted");
    device = restart(device);
    assert_eq!((active(&device), status(&device).highest), (None, 1));
    install(&mut device, &vm1(2)).expect("installed");
    assert_eq!(device.revert(0), Err(Error::NoTrial));
    try_out(&mut device, &vm1(3)).expect("on trial");
    device.revert(0).expect("reverted");
    assert_eq!(active(&restart(device)), Some((2, true)));
}

#[test]
fn a_removed_component_has_nothing() {
    let mut device = device();
    device.remove(0).expect("nothing to remove");
    assert_eq!(device.flash().steps(), 0, "and nothing written");
    install(&mut device, &vm1(1)).expect("installed");
    install(&mut device, &vm1(2)).expect("installed");
    send(&mut device, &vm1(3)).expect("sent");
    device.remove(0).expect("removed");
    device = restart(device);
    let now = status(&device);
    assert_eq!((now.active, now.previous, now.transfer), (None, None, None));
    assert_eq!(device.rollback(0), Err(Error::NoPrevious));
    assert_eq!(device.payload_len(0, SlotId::A), None);
}

#[test]
fn a_lent_slot_is_not_erased() {
    let mut device = device();
    assert!(matches!(device.lend(0, SlotId::A), Err(Error::NoCapsule)));
    install(&mut device, &vm1(1)).expect("installed");
    let lease = device.lend(0, SlotId::A).expect("lent");
    assert_eq!(
        (lease.slot().component(), lease.slot().id()),
        (0, SlotId::A)
    );
    assert!(matches!(device.lend(0, SlotId::A), Err(Error::SlotLent)));

    // The other slot takes updates while this one runs.
    install(&mut device, &vm1(2)).expect("installed");
    assert_eq!(open(&mut device, &vm1(3)), Err(Error::SlotLent));
    assert_eq!(status(&device).previous.map(|p| p.sequence), Some(1));
    device.give_back(lease).expect("given back");
    assert_eq!(open(&mut device, &vm1(3)), Ok(Opened::New));
    assert!(matches!(device.lend(0, SlotId::A), Err(Error::NoCapsule)));
}

#[test]
fn a_removed_capsule_that_still_runs_keeps_its_slot() {
    let mut device = device();
    install(&mut device, &vm1(1)).expect("installed");
    let lease = device.lend(0, SlotId::A).expect("lent");
    device.remove(0).expect("removed");
    install(&mut device, &vm1(2)).expect("installed in the other");
    assert_eq!(
        status(&device).active.map(|info| info.slot),
        Some(SlotId::B)
    );
    assert_eq!(open(&mut device, &vm1(3)), Err(Error::SlotLent));
    device.give_back(lease).expect("given back");
    install(&mut device, &vm1(3)).expect("installed");
}

#[test]
fn there_is_one_transfer_even_if_the_next_goes_to_the_other_slot() {
    let mut device = device();
    install(&mut device, &vm1(1)).expect("installed");
    let lease = device.lend(0, SlotId::A).expect("lent");
    device.remove(0).expect("removed");
    open(&mut device, &vm1(2)).expect("opened in the other");
    device.give_back(lease).expect("given back");
    open(&mut device, &vm1(3)).expect("opened");
    let transfer = |device: &Device| status(device).transfer.map(|t| (t.slot, t.sequence));
    assert_eq!(transfer(&device), Some((SlotId::A, 3)));
    send(&mut device, &vm1(3)).expect("sent");
    device = restart(device);
    assert_eq!(transfer(&device), Some((SlotId::A, 3)));
}

#[test]
fn a_lease_of_another_store_is_not_taken() {
    let (mut one, mut other) = (device(), device());
    install(&mut one, &vm1(1)).expect("installed");
    let lease = one.lend(0, SlotId::A).expect("lent");
    assert_eq!(other.give_back(lease), Err(Error::ForeignLease));
}

#[test]
fn reads_stay_inside_of_the_capsule() {
    let mut device = device();
    let capsule = vm1(1);
    let slot = SlotId::A;
    let mut bytes = [0; 10];
    assert_eq!(device.read_head(0, slot, &mut bytes), Err(Error::NoCapsule));
    let read = device.read_payload(0, slot, 0, &mut bytes);
    assert_eq!(read, Err(Error::NoCapsule));
    open(&mut device, &capsule).expect("opened");
    let read = device.read_payload(0, slot, 0, &mut bytes);
    assert_eq!(read, Err(Error::Incomplete { received: 0 }));
    assert_eq!(device.payload_range(0, slot), None);
    device.abort_transfer(0).expect("aborted");
    install(&mut device, &capsule).expect("installed");
    let needed = capsule.head.len();
    assert_eq!(
        device.read_head(0, slot, &mut bytes),
        Err(Error::BufferTooSmall { needed })
    );
    assert_eq!(device.read_payload(0, slot, 2991, &mut bytes), Ok(()));
    assert_eq!(bytes, capsule.payload[2991..]);
    for offset in [2992, 3001, u32::MAX] {
        let read = device.read_payload(0, slot, offset, &mut bytes);
        assert_eq!(read, Err(Error::OutOfBounds));
    }
    assert_eq!(device.payload_len(0, slot), Some(3001));
    let range = device.payload_range(0, slot).expect("a capsule");
    assert_eq!(range, 3 * PAGE + 1024..3 * PAGE + 1024 + 3001);
    assert_eq!(range.start % 16, 0, "fit for use in place");
    let bytes = device.flash().bytes();
    assert_eq!(
        bytes[range.start as usize..range.end as usize],
        capsule.payload
    );
}

#[test]
fn nothing_outside_of_the_layout_is_touched() {
    let mut device = device();
    let before = device.flash().bytes().to_vec();
    let page = PAGE as usize;
    for sequence in 1..20 {
        install(&mut device, &vm1(sequence)).expect("installed");
        device = restart(device);
    }
    let after = device.flash().bytes();
    assert_eq!(before[..page], after[..page]);
    let vm2 = page * (1 + 2 + 2 * SLOT_PAGES as usize);
    assert_eq!(before[vm2..], after[vm2..], "vm2 and what follows");
}

#[test]
fn records_of_another_layout_do_not_count() {
    let mut device = device();
    install(&mut device, &vm1(1)).expect("installed");
    let flash = device.into_flash();
    for other in [
        Layout::new(PAGE, SLOT_PAGES, ["vm2", "vm1"]),
        Layout::new(PAGE, SLOT_PAGES - 1, ["vm1", "vm2"]),
    ] {
        let store = Store::<_, 2>::mount(flash.clone(), other).expect("mounts");
        assert_eq!(store.status(0).and_then(|status| status.active), None);
    }
    let same = Store::<_, 2>::mount(flash, LAYOUT).expect("mounts");
    assert!(same.status(0).is_some_and(|status| status.active.is_some()));
}

/// Journal page 0 and 1 and the first page of slot A, of vm1.
const JOURNAL: [usize; 2] = [1, 2];
const SLOT_A: usize = 3;

#[test]
fn a_worn_journal_page_is_an_error_and_the_old_state_stays() {
    for silent in [false, true] {
        for page in JOURNAL {
            let mut device = device();
            install(&mut device, &vm1(1)).expect("installed");
            try_out(&mut device, &vm1(2)).expect("on trial");
            let mut flash = device.into_flash();
            flash.power_on();
            flash.wear_out(page, silent);
            let mut device: Device = Store::mount(flash, LAYOUT).expect("mounts");
            // The state is in one page; the first write goes to the other.
            let mut left = 3;
            for _ in 0..2 {
                match device.begin_attempt(0) {
                    Ok(tries_left) => left = tries_left,
                    Err(error) => assert!(error.is_flash_failure(), "{error}"),
                }
                let tries = status(&device).active.expect("active").phase;
                assert_eq!(tries, Phase::Trial { tries_left: left });
            }
            let mut flash = device.into_flash();
            flash.power_on();
            let mut device: Device = Store::mount(flash, LAYOUT).expect("mounts");
            let tries = status(&device).active.expect("active").phase;
            assert_eq!(tries, Phase::Trial { tries_left: left });
            if left == 3 {
                assert!(device.confirm(0, &vm1(2).manifest).is_err());
            }
            let mut flash = device.into_flash();
            flash.repair(page);
            let mut device: Device = Store::mount(flash, LAYOUT).expect("mounts");
            device.confirm(0, &vm1(2).manifest).expect("repaired");
        }
    }
}

#[test]
fn a_worn_slot_page_is_an_error_and_the_active_capsule_stays() {
    for silent in [false, true] {
        let mut device = device();
        let (first, second) = (vm1(1), vm1(2));
        install(&mut device, &first).expect("installed");
        install(&mut device, &second).expect("installed");
        let mut flash = device.into_flash();
        flash.wear_out(SLOT_A + 1, silent);
        let mut device: Device = Store::mount(flash, LAYOUT).expect("mounts");
        let third = vm1(3);
        open(&mut device, &third).expect("the first page is good");
        device.write(0, 0, &third.payload[..1024]).expect("good");
        let worn = device.write(0, 1024, &third.payload[1024..]);
        assert!(worn.is_err_and(|error| error.is_flash_failure()));
        let transfer = status(&device).transfer.expect("still open");
        assert_eq!(transfer.received, 1024, "at the last whole page");
        assert_eq!(active(&device), Some((2, true)));
        let mut flash = device.into_flash();
        flash.repair(SLOT_A + 1);
        let mut device: Device = Store::mount(flash, LAYOUT).expect("mounts");
        device
            .write(0, 1024, &third.payload[1024..])
            .expect("repaired");
        device.activate(0, &third.manifest, 1).expect("activated");
    }
}

#[test]
fn a_worn_first_page_leaves_no_transfer() {
    let mut device = device();
    let mut flash = device.into_flash();
    flash.wear_out(SLOT_A, false);
    device = Store::mount(flash, LAYOUT).expect("mounts");
    let error = open(&mut device, &vm1(1));
    assert_eq!(error, Err(Error::Flash(MockError::Broken)));
    assert_eq!(status(&device).transfer, None);
}

#[test]
fn a_failed_record_that_is_there_all_the_same_is_outdone_before_a_slot_is_touched() {
    use sealift_storage::sim::{Driver, Operation, Outcome};
    let capsules = vec![capsule("vm1", 1, 0, 5000)];
    let flash = Flash::new(flash_pages(SLOT_PAGES));
    let mut driver = Driver::new(flash, LAYOUT, SLOT_PAGES, capsules, 100).expect("mounts");
    let mut operate = |operation| driver.operate(0, operation).expect("as the model says");
    assert_eq!(operate(Operation::Open(0)), Outcome::Done);
    assert_eq!(operate(Operation::Write(2000)), Outcome::Done);
    // The record says that the transfer is gone, but its last seal fails.
    driver.glitch_at(128 + 8, false).expect("mounted");
    let failed = driver.operate(0, Operation::Abort);
    assert_eq!(failed, Ok(Outcome::Failed));
    assert_eq!(driver.models()[0].transfer, Some((0, 2000)));
    let written = driver.operate(0, Operation::Write(200));
    assert_eq!(written, Ok(Outcome::Done));
    driver.restart().expect("as the model says");
    assert_eq!(driver.models()[0].transfer, Some((0, PAGE - 1024)));
}

#[test]
fn wear_is_spread_over_journal_and_slots() {
    let mut device = device();
    let updates = 40;
    for sequence in 1..=updates {
        let capsule = capsule("vm1", sequence, 0, CAPACITY as usize);
        send(&mut device, &capsule).expect("sent");
        device.activate(0, &capsule.manifest, 3).expect("activated");
        device.begin_attempt(0).expect("a try");
        device.confirm(0, &capsule.manifest).expect("confirmed");
        device = restart(device);
    }
    let erases = &device.flash().erases()[1..9];
    println!("erases after {updates} updates: journal, slot A, slot B: {erases:?}");
    let slots = &erases[2..];
    assert!(slots.iter().all(|erases| *erases == 20), "{erases:?}");
    let [first, second, ..] = *erases else {
        panic!("8 pages")
    };
    assert!(first.abs_diff(second) <= 1, "{erases:?}");
    assert!(first + second <= 40, "one for each session: {erases:?}");
}

#[test]
fn ram_for_each_component_is_small() {
    let one = size_of::<Store<(), 1>>();
    let two = size_of::<Store<(), 2>>();
    println!("RAM: {} bytes, {} for each component", one, two - one);
    assert!(two - one <= 256);
}

#[test]
fn a_region_is_a_window() {
    let flash = Flash::new(4);
    assert!(Region::new(flash.clone(), 1024, 2048).is_none());
    assert!(Region::new(flash.clone(), 2048, 1024).is_none());
    assert!(Region::new(flash.clone(), 2048, 4 * 2048).is_none());
    assert!(Region::new(flash.clone(), u32::MAX - 2047, 2048).is_none());
    let mut region = Region::new(flash, 2048, 4096).expect("fits");
    assert_eq!(region.capacity(), 4096);
    region.write(8, &[7; 8]).expect("inside");
    region.write(4088, &[9; 8]).expect("inside");
    let mut found = [0; 8];
    region.read(8, &mut found).expect("inside");
    assert_eq!(found, [7; 8]);
    assert_eq!(region.write(4096, &[0; 8]), Err(RegionError::OutOfBounds));
    assert_eq!(region.read(4090, &mut found), Err(RegionError::OutOfBounds));
    assert_eq!(region.erase(0, 6144), Err(RegionError::OutOfBounds));
    assert_eq!(
        region.write(3, &[0; 8]),
        Err(RegionError::Flash(MockError::NotAligned))
    );
    region.erase(2048, 4096).expect("inside");
    let flash = region.into_inner();
    assert_eq!(flash.bytes()[2056], 7);
    assert_eq!(flash.bytes()[2048 + 4088], 0xFF);
    assert_eq!(flash.erases(), [0, 0, 1, 0]);
}
