//! Slots in use, and reads from them.

use super::*;

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
fn a_lease_goes_back_to_its_own_component() {
    let mut device = device();
    let capsule = capsule("vm2", 1, 0, 100);
    device
        .open_transfer(1, &capsule.manifest, capsule.head)
        .expect("opened");
    device.write(1, 0, &capsule.payload).expect("written");
    device.activate(1, &capsule.manifest, 1).expect("activated");
    let lease = device.lend(1, SlotId::A).expect("lent");
    assert_eq!(
        (lease.slot().component(), lease.slot().id()),
        (1, SlotId::A)
    );
    device.give_back(lease).expect("of this store");
    assert!(device.lend(1, SlotId::A).is_ok(), "there again");
}
