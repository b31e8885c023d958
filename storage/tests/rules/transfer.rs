//! How a capsule comes in.

use super::*;

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
