//! The light, the button and the socket of a capsule.

use crate::capsule_common::{
    BIND, BUTTON, Board, Parts, RECEIVE, Running, SEND, TOGGLE, nowhere, persistent,
};
use sealift_core::capsule::{
    FUEL_PER_BYTE, FUEL_PER_MS, Fault, MAX_SENDS, MAX_UDP, Progress, SEND_BURST, SEND_REFILL_MS,
};
use sealift_engine::DEFAULT_FUEL;
use sealift_manifest::Grants;

const GET: u8 = 1;

fn start(board: &Board, parts: Parts<'_>) -> Running {
    let capsule = persistent(parts).grant(Grants::ALL);
    capsule.start(board).unwrap()
}

/// Calls once; the capsule traps if its interface does not say `expected`, 0
/// for done and 1 for failed.
fn call(board: &Board, head: &str, call: &str, expected: u32) -> Result<u64, Fault> {
    let run = format!("(if (i32.ne {call} (i32.const {expected})) (then unreachable))");
    let mut running = start(
        board,
        Parts {
            head,
            run: &run,
            ..Parts::default()
        },
    );
    running.call(GET, &[]).map(|_| running.fuel_used())
}

#[test]
fn the_light_goes_on_and_off() {
    let board = Board::default();
    call(&board, TOGGLE, "(call $toggle)", 1).unwrap();
    board.services().light = Some(false);
    for on in [true, false, true] {
        call(&board, TOGGLE, "(call $toggle)", 0).unwrap();
        assert_eq!(board.services().light, Some(on));
    }
}

#[test]
fn a_button_that_is_not_there_or_pressed_already_is_not_waited_for() {
    let board = Board::default();
    call(&board, BUTTON, "(call $button)", 1).unwrap();
    board.services().button = Some(true);
    let used = call(&board, BUTTON, "(call $button)", 0).unwrap();
    assert!(used < FUEL_PER_MS);
}

/// A call that waits for the button.
fn waiting() -> (
    Board,
    sealift_core::capsule::Activity<sealift_core::capsule::Called<Board>>,
) {
    let board = Board::default();
    board.services().button = Some(false);
    let parts = Parts {
        head: BUTTON,
        run: "(if (call $button) (then unreachable))",
        ..Parts::default()
    };
    let activity = start(&board, parts).calling(GET, &[]);
    (board, activity)
}

#[test]
fn the_button_is_waited_for_without_holding_others_up() {
    let (board, mut call) = waiting();
    board.services().clock = 100;
    // However often it is asked, only time costs.
    for clock in [100, 100, 150, 2100] {
        board.services().clock = clock;
        for _ in 0..1000 {
            assert!(matches!(call.poll(), Progress::Waits(None)));
        }
    }
    board.services().button = Some(true);
    let Progress::Done(called) = call.poll() else {
        panic!("it waits on");
    };
    assert!(called.answer.is_ok());
    let fuel = called.capsule.usage().fuel_last;
    let least = 2000 * FUEL_PER_MS;
    assert!((least..least + 10_000).contains(&fuel), "{fuel}");
}

#[test]
fn nobody_waits_longer_than_the_fuel_lasts() {
    let (board, mut call) = waiting();
    assert!(matches!(call.poll(), Progress::Waits(None)));
    board.services().clock = DEFAULT_FUEL / FUEL_PER_MS - 1;
    assert!(matches!(call.poll(), Progress::Waits(None)));
    board.services().clock = DEFAULT_FUEL / FUEL_PER_MS + 1;
    let Progress::Done(called) = call.poll() else {
        panic!("it waits on");
    };
    assert_eq!(called.answer.map_err(nowhere), Err(Fault::OutOfFuel));
}

#[test]
fn a_button_that_breaks_meanwhile_is_an_error() {
    let board = Board::default();
    board.services().button = Some(false);
    let parts = Parts {
        head: BUTTON,
        run: "(if (i32.eqz (call $button)) (then unreachable))",
        ..Parts::default()
    };
    let mut call = start(&board, parts).calling(GET, &[]);
    assert!(matches!(call.poll(), Progress::Waits(None)));
    board.services().button = None;
    let Progress::Done(called) = call.poll() else {
        panic!("it waits on");
    };
    assert!(called.answer.is_ok());
}

#[test]
fn a_port_is_bound_or_it_is_not() {
    let board = Board::default();
    call(&board, BIND, "(call $bind (i32.const 1234))", 0).unwrap();
    assert_eq!(board.services().port, Some(1234));
    call(&board, BIND, "(call $bind (i32.const 7))", 1).unwrap();
    call(
        &board,
        RECEIVE,
        "(call $receive (i32.const 1024)) (i32.load8_u (i32.const 1024))",
        1,
    )
    .unwrap();
    // Not a port; the upper bits are not looked at, as the ABI says.
    call(&board, BIND, "(call $bind (i32.const 0x10007))", 1).unwrap();
}

/// Sends a datagram back to who sent it, as treVM's example does: traps where
/// nothing arrived.
const ECHO: &str = "
    (call $receive (i32.const 1024))
    (if (i32.load8_u (i32.const 1024)) (then unreachable))
    (if (i32.eqz (i32.load8_u (i32.const 1028))) (then unreachable))
    (memory.copy (i32.const 2048) (i32.const 1032) (i32.const 48))
    (if (call $send (i32.const 2048)) (then unreachable))";

#[test]
fn a_datagram_goes_back_where_it_came_from() {
    let board = Board::default();
    let head = format!("{BIND}{SEND}{RECEIVE}");
    let parts = Parts {
        head: &head,
        init: "(drop (call $bind (i32.const 1234)))",
        run: ECHO,
        ..Parts::default()
    };
    let mut running = start(&board, parts);
    for (from, local) in [
        ("192.0.2.7:5683", None),
        ("[2001:db8:1:2:3:4:5:6]:65535", Some("127.0.0.1")),
        ("192.0.2.9:1", Some("::1")),
    ] {
        let from = from.parse().unwrap();
        let local = local.map(|ip: &str| ip.parse().unwrap());
        let data = vec![0x61; 100];
        board.services().arrived.push((data.clone(), from, local));
        running.call(GET, &[]).unwrap();
        assert!(running.fuel_used() > 200 * FUEL_PER_BYTE);
        assert_eq!(board.services().sent.pop(), Some((data, from)));
    }
    // Nothing arrived; a datagram that is too long did not, either.
    let mut running = start(&board, parts);
    assert!(running.call(GET, &[]).is_err());
    let long = vec![0; MAX_UDP + 1];
    let from = "192.0.2.7:5683".parse().unwrap();
    board.services().arrived.push((long, from, None));
    let mut running = start(&board, parts);
    assert!(running.call(GET, &[]).is_err());
}

/// What `send` gets: data at 4096 and its length, then 192.0.2.7, port 9.
fn datagram(length: usize, kind: u8) -> String {
    let length: String = length
        .to_le_bytes()
        .iter()
        .take(4)
        .map(|byte| format!("\\{byte:02x}"))
        .collect();
    format!(
        r#"(data (i32.const 2048) "\00\10\00\00{length}\{kind:02x}\00\c0\00\02\07")
        (data (i32.const 2074) "\09\00")"#
    )
}

/// A socket, and a handler that sends as often as the request's length says.
fn sender(board: &Board, length: usize, kind: u8) -> Running {
    let head = format!("{BIND}{SEND}");
    start(
        board,
        Parts {
            head: &head,
            init: "(drop (call $bind (i32.const 1234)))",
            run: "(loop
                (drop (call $send (i32.const 2048)))
                (br_if 0 (i32.gt_s (local.tee $len (i32.sub (local.get $len) (i32.const 1)))
                                   (i32.const 0))))",
            functions: &datagram(length, kind),
            ..Parts::default()
        },
    )
}

#[test]
fn a_datagram_has_a_longest_length() {
    for (length, sent) in [(0, 1), (MAX_UDP, 1), (MAX_UDP + 1, 0), (4096, 0)] {
        let board = Board::default();
        sender(&board, length, 0).call(GET, &[0]).unwrap();
        assert_eq!(board.services().sent.len(), sent, "{length}");
    }
    // More than a host call moves, and outside of memory.
    for length in [4097, 61_441, 1 << 31] {
        let board = Board::default();
        let fault = sender(&board, length, 0).call(GET, &[0]).unwrap_err();
        assert!(matches!(fault, Fault::Trapped(_)), "{length}: {fault:?}");
        assert!(board.services().sent.is_empty());
    }
}

#[test]
fn an_address_that_is_none_traps() {
    let board = Board::default();
    assert!(sender(&board, 1, 2).call(GET, &[0]).is_err());
    assert!(board.services().sent.is_empty());
}

#[test]
fn a_flood_of_datagrams_has_its_quota_in_a_call_and_over_time() {
    let board = Board::default();
    let mut running = sender(&board, 1, 0);
    let in_a_call = usize::try_from(MAX_SENDS).unwrap();
    let at_once = usize::try_from(SEND_BURST).unwrap();
    running.call(GET, &[0; 100]).unwrap();
    assert_eq!(board.services().sent.len(), in_a_call);
    for _ in 0..20 {
        running.call(GET, &[0; 100]).unwrap();
    }
    // One went for the socket.
    assert_eq!(board.services().sent.len(), at_once - 1);
    board.services().clock = 3 * SEND_REFILL_MS;
    running.call(GET, &[0; 100]).unwrap();
    assert_eq!(board.services().sent.len(), at_once - 1 + 3);
}
