//! Pages that fail, and how they are worn.

use super::*;

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
fn a_worn_first_page_takes_the_previous_capsule_and_the_transfer_before_with_it() {
    for silent in [false, true] {
        for with_transfer in [false, true] {
            let mut device = device();
            install(&mut device, &vm1(1)).expect("installed");
            install(&mut device, &vm1(2)).expect("installed");
            if with_transfer {
                send(&mut device, &vm1(3)).expect("sent");
            }
            let before = status(&device);
            assert_eq!(before.previous.is_some(), !with_transfer);
            assert_eq!(before.transfer.is_some(), with_transfer);
            let mut flash = device.into_flash();
            flash.wear_out(SLOT_A, silent);
            let mut device: Device = Store::mount(flash, LAYOUT).expect("mounts");
            assert_eq!(status(&device), before);
            let worn = open(&mut device, &vm1(4));
            assert!(worn.is_err_and(|error| error.is_flash_failure()));
            // The record was first, and what it says stays.
            for _ in 0..2 {
                let now = status(&device);
                assert_eq!((now.previous, now.transfer), (None, None));
                assert_eq!(now.active, before.active);
                assert_eq!(device.rollback(0), Err(Error::NoPrevious));
                device = restart(device);
            }
            let mut flash = device.into_flash();
            flash.repair(SLOT_A);
            let mut device: Device = Store::mount(flash, LAYOUT).expect("mounts");
            install(&mut device, &vm1(4)).expect("repaired");
        }
    }
}

#[test]
fn a_worn_journal_leaves_a_wrong_payload_where_it_is() {
    let good = payload(1, 3000);
    let mut bad = good.clone();
    bad[0] ^= 0x80;
    let dishonest = with_payload("vm1", 1, 0, &good, bad);
    let mut device = device();
    send(&mut device, &dishonest).expect("sent");
    let mut flash = device.into_flash();
    for page in JOURNAL {
        flash.wear_out(page, false);
    }
    let mut device: Device = Store::mount(flash, LAYOUT).expect("mounts");
    let before = status(&device);
    assert!(before.transfer.is_some());
    let activated = device.activate(0, &dishonest.manifest, 1);
    assert_eq!(activated, Err(Error::Flash(MockError::Broken)));
    assert_eq!(status(&device), before);
    let mut flash = device.into_flash();
    for page in JOURNAL {
        flash.repair(page);
    }
    let mut device: Device = Store::mount(flash, LAYOUT).expect("mounts");
    let activated = device.activate(0, &dishonest.manifest, 1);
    assert_eq!(activated, Err(Error::WrongPayload));
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
