//! A capsule lets others in: it runs a slice at a time, and goes on only
//! while it is polled.

use crate::capsule_common::{Board, LOG, NOW, Parts, TRIGGER, nowhere, persistent};
use sealift_core::capsule::{
    Activity, Called, FUEL_PER_HOST_CALL, Fault, MAX_LOG_LINES, Progress, SLICE,
};
use sealift_engine::DEFAULT_FUEL;
use sealift_manifest::Grants;

const GET: u8 = 1;

const SPIN: &str = "(loop br 0)";

/// About 100 slices of work.
const WORK: &str = "(local $n i32)
    (loop (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1)))
                             (i32.const 700000))))";

/// A call, as an activity.
fn call(board: &Board, head: &str, run: &str) -> Activity<Called<Board>> {
    let capsule = persistent(Parts {
        head,
        run,
        ..Parts::default()
    })
    .grant(Grants::ALL);
    capsule.start(board).unwrap().calling(GET, &[])
}

/// Polls to the end; how often, and what came of it.
fn polls<T: 'static>(mut activity: Activity<T>) -> (u64, T) {
    for polls in 1.. {
        match activity.poll() {
            Progress::Done(result) => return (polls, result),
            Progress::Again => {}
            Progress::Waits(_) => panic!("waits for nothing"),
        }
    }
    unreachable!()
}

#[test]
fn a_slice_is_a_slice_of_fuel() {
    let (count, called) = polls(call(&Board::default(), "", SPIN));
    assert_eq!(called.answer.map_err(nowhere), Err(Fault::OutOfFuel));
    let slices = DEFAULT_FUEL / SLICE;
    assert!((slices..=slices + 1).contains(&count), "{count}");
    let (count, called) = polls(call(&Board::default(), "", WORK));
    assert!(called.answer.is_ok());
    let slices = called.capsule.usage().fuel_last / SLICE;
    assert!(slices > 50);
    assert!((slices..=slices + 1).contains(&count), "{count}");
}

#[test]
fn a_short_call_is_done_in_one_poll() {
    let (count, called) = polls(call(&Board::default(), "", ""));
    assert_eq!(called.answer.map(|answer| answer.code), Ok(0x45));
    assert_eq!(count, 1);
}

#[test]
fn a_start_has_slices_too() {
    let spin_in_start = format!("(func $s {SPIN}) (start $s)");
    for (init, functions) in [(SPIN, ""), ("", &spin_in_start[..])] {
        let capsule = persistent(Parts {
            init,
            functions,
            ..Parts::default()
        });
        let (count, started) = polls(capsule.starting(&Board::default()).unwrap());
        let fault = nowhere(started.err().unwrap());
        assert_eq!(fault, Fault::Init(Box::new(Fault::OutOfFuel)));
        assert!(count >= DEFAULT_FUEL / SLICE);
    }
}

#[test]
fn host_calls_use_up_a_slice_as_code_does() {
    // Renewing the fuel at each host call must not renew the slice.
    for (head, host_call) in [
        (NOW, "(drop (call $now))"),
        (LOG, "(call $info (i32.const 24) (i32.const 4))"),
        (
            TRIGGER,
            "(drop (call $trigger (i32.const 0) (i32.const 0)))",
        ),
    ] {
        let board = Board::default();
        let run = format!("(loop {host_call} br 0)");
        let mut activity = call(&board, head, &run);
        let mut seen = 0;
        let mut polls = 0;
        let called = loop {
            polls += 1;
            let progress = activity.poll();
            let asked = board.services().asked - seen;
            seen += asked;
            let most = 2 * SLICE / FUEL_PER_HOST_CALL;
            assert!(asked <= most, "{asked} host calls in a poll");
            if let Progress::Done(called) = progress {
                break called;
            }
        };
        assert_eq!(called.answer.map_err(nowhere), Err(Fault::OutOfFuel));
        assert!(polls >= DEFAULT_FUEL / (2 * SLICE), "{polls}");
    }
}

#[test]
fn nothing_goes_on_without_being_polled() {
    let board = Board::default();
    let run = format!("{WORK} (call $info (i32.const 24) (i32.const 4))");
    let mut activity = call(&board, LOG, &run);
    assert!(matches!(activity.poll(), Progress::Again));
    assert_eq!(board.log(), [""; 0]);
    drop(activity);
    assert_eq!(board.log(), [""; 0]);
    assert!(call(&board, LOG, &run).finish().answer.is_ok());
    assert_eq!(board.log(), ["vm1: path"]);
}

#[test]
fn one_that_spins_does_not_keep_the_other_from_its_end() {
    let mut spin = call(&Board::default(), "", SPIN);
    let mut work = call(&Board::default(), "", WORK);
    for turn in 0.. {
        assert!(turn < DEFAULT_FUEL / SLICE, "{turn} turns");
        assert!(matches!(spin.poll(), Progress::Again));
        if let Progress::Done(called) = work.poll() {
            assert!(called.answer.is_ok());
            break;
        }
    }
    let (_, called) = polls(spin);
    assert_eq!(called.answer.map_err(nowhere), Err(Fault::OutOfFuel));
}

#[test]
fn many_side_by_side_and_dropped_in_any_order() {
    let board = Board::default();
    let run = format!("{WORK} (call $info (i32.const 24) (i32.const 4))");
    let mut all: Vec<_> = (0..8).map(|_| call(&board, LOG, &run)).collect();
    for _ in 0..5 {
        for activity in &mut all {
            assert!(matches!(activity.poll(), Progress::Again));
        }
    }
    drop(all.remove(3));
    drop(all.remove(0));
    drop(all.pop());
    for activity in all {
        assert!(polls(activity).1.answer.is_ok());
    }
    assert_eq!(board.log(), ["vm1: path"; 5]);
}

#[test]
fn it_costs_the_same_in_slices() {
    let capsule = persistent(Parts {
        run: WORK,
        ..Parts::default()
    });
    let board = Board::default();
    let mut usage = None;
    for _ in 0..3 {
        let called = capsule.start(&board).unwrap().calling(GET, &[]).finish();
        let now = called.capsule.usage();
        assert_eq!(*usage.get_or_insert(now), now);
    }
}

#[test]
fn usage_remembers_the_most() {
    let capsule = persistent(Parts {
        // Works where the request is not empty.
        run: "(local $n i32)
            (if (local.get $len) (then
            (loop (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1)))
                                     (i32.const 1000))))))",
        ..Parts::default()
    });
    let mut running = capsule.start(&Board::default()).unwrap();
    let start = running.usage();
    assert!(start.fuel_last > 0);
    assert_eq!(start.fuel_max, start.fuel_last);
    running.call(GET, b"\xb0").unwrap();
    let long = running.usage();
    running.call(GET, b"").unwrap();
    let short = running.usage();
    assert!(short.fuel_last < long.fuel_last);
    assert_eq!(short.fuel_max, long.fuel_last);
    assert_eq!(short.memory, 65_536);
    assert_eq!(short.memory_max, 65_536);
}

#[test]
fn what_is_over_stays_over() {
    let mut activity = call(&Board::default(), "", "");
    assert!(matches!(activity.poll(), Progress::Done(_)));
    for _ in 0..3 {
        assert!(matches!(activity.poll(), Progress::Waits(None)));
    }
}

#[test]
fn the_log_is_rationed_over_calls_too() {
    let board = Board::default();
    let capsule = persistent(Parts {
        head: LOG,
        run: "(loop (call $info (i32.const 24) (i32.const 4))
            (br_if 0 (i32.lt_u (local.tee $len (i32.add (local.get $len) (i32.const 1)))
                               (i32.const 20))))",
        ..Parts::default()
    })
    .grant(Grants::LOG);
    let mut running = capsule.start(&board).unwrap();
    for _ in 0..100 {
        running.call(GET, &[]).unwrap();
    }
    let at_once = board.log().len();
    assert!(at_once <= sealift_core::capsule::LOG_BURST as usize);
    assert!(at_once > MAX_LOG_LINES as usize);
    // A while later there is room again, and first the count of what was not
    // written.
    board.services().clock = 3 * sealift_core::capsule::LOG_REFILL_MS;
    running.call(GET, &[]).unwrap();
    let log = board.log();
    assert_eq!(log.len(), at_once + 3);
    assert!(log[at_once].ends_with("more lines left out)"));
    assert_eq!(log[at_once + 1..], ["vm1: path"; 2]);
}
