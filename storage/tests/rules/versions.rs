//! Which capsule runs.

use super::*;

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
    assert_eq!(device.payload_range(0, SlotId::A), None);
}
