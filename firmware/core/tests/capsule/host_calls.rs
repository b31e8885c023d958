//! What a capsule can do to the device through the functions that it is
//! granted.

use crate::capsule_common::{
    Board, LOG, NEXT_U32, NOW, Parts, RANDOM_BYTES, SLEEP, TRIGGER, nowhere, persistent,
};
use sealift_core::capsule::{
    Activity, Called, Category, FUEL_PER_BYTE, FUEL_PER_MS, Fault, HostTrap, MAX_LOG_LINE,
    MAX_LOG_LINES, MAX_RANDOM, MAX_TRANSFER, Progress, TrapReason,
};
use sealift_manifest::Grants;

const GET: u8 = 1;

/// Starts, with all that is offered, and calls once.
fn call(board: &Board, head: &str, run: &str) -> Result<u64, Fault> {
    let capsule = persistent(Parts {
        head,
        run,
        ..Parts::default()
    })
    .grant(Grants::ALL);
    let mut running = capsule.start(board).unwrap();
    let result = running.call(GET, &[]);
    result.map(|_| running.fuel_used())
}

#[test]
fn a_flood_of_log_lines_is_cut_and_ends() {
    let board = Board::default();
    let run = "(loop (call $info (i32.const 24) (i32.const 4)) br 0)";
    assert_eq!(call(&board, LOG, run), Err(Fault::OutOfFuel));
    let log = board.log();
    let lines = usize::try_from(MAX_LOG_LINES).unwrap();
    assert_eq!(log.len(), lines + 1);
    assert!(log[..lines].iter().all(|line| line == "vm1: path"));
    assert!(
        log[lines].ends_with("more lines left out)"),
        "{}",
        log[lines]
    );
}

#[test]
fn each_call_may_log_again() {
    let board = Board::default();
    let capsule = persistent(Parts {
        head: LOG,
        run: "(call $info (i32.const 24) (i32.const 4))",
        ..Parts::default()
    })
    .grant(Grants::LOG);
    let mut running = capsule.start(&board).unwrap();
    for _ in 0..=MAX_LOG_LINES {
        running.call(GET, &[]).unwrap();
    }
    let lines = usize::try_from(MAX_LOG_LINES).unwrap();
    assert_eq!(board.log(), vec!["vm1: path"; lines + 1]);
}

#[test]
fn a_long_line_is_cut_and_a_huge_one_refused() {
    let fill = "(memory.fill (i32.const 8192) (i32.const 0x61) (i32.const 8192))";
    let log = |length: usize| {
        let board = Board::default();
        let run = format!("{fill} (call $info (i32.const 8192) (i32.const {length}))");
        let result = call(&board, LOG, &run).map(|_| ());
        (result, board.log())
    };
    let (result, lines) = log(MAX_TRANSFER);
    assert_eq!(result, Ok(()));
    assert_eq!(lines, [format!("vm1: {}", "a".repeat(MAX_LOG_LINE))]);
    let (result, lines) = log(MAX_TRANSFER + 1);
    assert!(matches!(result, Err(Fault::Trapped(TrapReason::Other(_)))));
    assert_eq!(lines, [""; 0]);
}

#[test]
fn a_line_cannot_pass_for_another_capsules() {
    let board = Board::default();
    // "\nvm2"
    let run = "(i64.store (i32.const 8192) (i64.const 0x326d760a))
        (call $info (i32.const 8192) (i32.const 4))";
    call(&board, LOG, run).unwrap();
    assert_eq!(board.log(), ["vm1:  vm2"]);
}

#[test]
fn a_line_that_is_not_utf_8_traps() {
    let board = Board::default();
    let run = "(i32.store (i32.const 8192) (i32.const 0xff))
        (call $info (i32.const 8192) (i32.const 4))";
    assert!(matches!(call(&board, LOG, run), Err(Fault::Trapped(_))));
    assert_eq!(board.log(), [""; 0]);
}

#[test]
fn a_line_outside_of_memory_traps() {
    let board = Board::default();
    let run = "(call $info (i32.const 65535) (i32.const 2))";
    assert!(matches!(call(&board, LOG, run), Err(Fault::Trapped(_))));
    assert_eq!(board.log(), [""; 0]);
}

#[test]
fn random_bytes_are_bounded() {
    let random = |len: u32| {
        let board = Board::default();
        let run = format!("(call $bytes (i32.const {len}) (i32.const 64))");
        let result = call(&board, RANDOM_BYTES, &run);
        let asked = board.services().random.clone();
        (result, asked)
    };
    let (result, asked) = random(MAX_RANDOM);
    assert!(result.unwrap() > u64::from(MAX_RANDOM) * FUEL_PER_BYTE);
    assert_eq!(asked, [1024]);
    for len in [MAX_RANDOM + 1, 1 << 31, u32::MAX] {
        let (result, asked) = random(len);
        let trap = HostTrap::Random(len);
        assert_eq!(result, Err(Fault::Trapped(TrapReason::Host(trap))));
        assert_eq!(asked, [0; 0]);
    }
}

#[test]
fn a_loop_of_host_calls_ends() {
    let board = Board::default();
    let run = "(loop (call $bytes (i32.const 1024) (i32.const 64)) br 0)";
    assert_eq!(call(&board, RANDOM_BYTES, run), Err(Fault::OutOfFuel));
    let calls = u64::try_from(board.services().random.len()).unwrap();
    let most = sealift_engine::DEFAULT_FUEL / (u64::from(MAX_RANDOM) * FUEL_PER_BYTE);
    assert!((1..=most).contains(&calls), "{calls}");
}

#[test]
fn random_numbers_come_from_the_board() {
    let board = Board::default();
    let run = "(if (i32.ne (call $next) (i32.const 0x04040404)) (then unreachable))";
    call(&board, NEXT_U32, run).unwrap();
    assert_eq!(board.services().random, [4]);
    board.services().no_random = true;
    assert_eq!(
        call(&board, NEXT_U32, run),
        Err(Fault::Trapped(TrapReason::Host(HostTrap::NoRandom)))
    );
}

/// A call that sleeps, as an activity.
fn sleeping(board: &Board, millis: &str) -> Activity<Called<Board>> {
    let run = format!("(call $sleep (i64.const {millis}))");
    let capsule = persistent(Parts {
        head: SLEEP,
        run: &run,
        ..Parts::default()
    })
    .grant(Grants::TIME);
    capsule.start(board).unwrap().calling(GET, &[])
}

#[test]
fn sleep_waits_and_costs() {
    let board = Board::default();
    board.services().clock = 500;
    let mut call = sleeping(&board, "1000");
    for clock in [500, 501, 1499] {
        board.services().clock = clock;
        for _ in 0..3 {
            assert!(matches!(call.poll(), Progress::Waits(Some(1500))));
        }
    }
    board.services().clock = 1500;
    let Progress::Done(called) = call.poll() else {
        panic!("it sleeps on");
    };
    assert!(called.answer.is_ok());
    assert!(called.capsule.usage().fuel_last >= 1000 * FUEL_PER_MS);
}

#[test]
fn nobody_sleeps_longer_than_the_fuel_lasts() {
    for forever in ["20000", "-1"] {
        let answer = sleeping(&Board::default(), forever).finish().answer;
        assert_eq!(answer.map_err(nowhere), Err(Fault::OutOfFuel));
    }
}

#[test]
fn the_clock_is_the_boards() {
    let board = Board::default();
    board.services().clock = 1 << 40;
    let run = "(if (i64.ne (call $now) (i64.const 0x10000000000)) (then unreachable))";
    call(&board, NOW, run).unwrap();
}

#[test]
fn sensors_answer_or_say_that_they_do_not() {
    let board = Board::default();
    let trigger = |category: Option<u32>, failed: bool| {
        let (some, category) = category.map_or((0, 0), |category| (1, category));
        let run = format!(
            "(if (i32.ne (call $trigger (i32.const {some}) (i32.const {category}))
                (i32.const {})) (then unreachable))",
            u32::from(failed)
        );
        call(&board, TRIGGER, &run)
    };
    trigger(None, false).unwrap();
    trigger(Some(17), false).unwrap();
    trigger(Some(5), true).unwrap();
    assert_eq!(
        board.services().measured,
        [None, Some(Category::Temperature), Some(Category::Ammeter)]
    );
    // There is no such category.
    assert!(matches!(trigger(Some(20), true), Err(Fault::Trapped(_))));
    assert_eq!(board.services().measured.len(), 3);
}
