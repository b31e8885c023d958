//! Several peers at once, and requests in blocks: nobody gets in the way of
//! another, and nothing is done twice.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

use crate::device_common::{Rig, answering, detached, echo, envelope};
use sealift_oscore::coap::{BlockOption, Code};
use sealift_wire::Refusal;

const VM1: &str = "/vm-control/vm1";
const PAYLOAD: &str = "/vm-control/vm1/payload";

#[test]
fn two_deployers_do_not_mix_their_envelopes() {
    let mut rig = Rig::new();
    let first = envelope(&answering("one"), 1, |_| {});
    let second = envelope(&answering("two"), 2, |_| {});
    let block = |num, more| Some(BlockOption { num, more, szx: 6 });
    let mut a = rig.op();
    let mut b = rig.op();
    let put = |rig: &mut Rig, session: &mut _, num: u32, body: &[u8]| {
        let start = num as usize * 1024;
        let end = body.len().min(start + 1024);
        let part = &body[start..end];
        rig.request(
            session,
            Code::PUT,
            VM1,
            block(num, end < body.len()),
            None,
            part,
        )
        .unwrap()
    };
    assert_eq!(put(&mut rig, &mut a, 0, &first).code, Code::CONTINUE);
    // The later one takes over; the other is told so.
    assert_eq!(put(&mut rig, &mut b, 0, &second).code, Code::CONTINUE);
    assert!(put(&mut rig, &mut a, 1, &first).is(Refusal::BlockOutOfOrder));
    for num in 1..second.len().div_ceil(1024) as u32 {
        put(&mut rig, &mut b, num, &second);
    }
    rig.asks("two");
}

#[test]
fn a_payload_does_not_go_into_the_transfer_of_another_deployer() {
    let mut rig = Rig::new();
    let (one, two) = (answering("one"), answering("two"));
    let (mut a, mut b) = (rig.op(), rig.op());
    rig.put(&mut a, VM1, &detached(&one, 1, |_| {})).unwrap();
    for num in 0..2 {
        rig.piece(&mut a, Code::PUT, PAYLOAD, num, &one.artifact);
    }
    rig.put(&mut b, VM1, &detached(&two, 2, |_| {})).unwrap();
    for num in 0..2 {
        rig.piece(&mut b, Code::PUT, PAYLOAD, num, &two.artifact);
    }
    // At the same place, but of another capsule.
    let answer = rig.piece(&mut a, Code::PUT, PAYLOAD, 2, &one.artifact);
    assert!(answer.is(Refusal::WrongOffset), "{answer:?}");
    let last = (two.artifact.len() as u32).div_ceil(1024) - 1;
    for num in 2..last {
        rig.piece(&mut b, Code::PUT, PAYLOAD, num, &two.artifact);
    }
    // Whoever knows of this transfer may finish it.
    let mut c = rig.op();
    let answer = rig.piece(&mut c, Code::PUT, PAYLOAD, last, &two.artifact);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    rig.asks("two");
}

#[test]
fn a_user_of_capsules_does_not_disturb_a_job() {
    let mut rig = Rig::new();
    rig.install(&answering(&"x".repeat(1200)), 1);
    let job = envelope(&echo(), 1, |spec| spec.component = "vm-run".into());
    let body = [job, vec![7; 2000]].concat();
    let (mut op, mut app) = (rig.op(), rig.app());
    let last = (body.len() as u32).div_ceil(1024) - 1;
    let use_it = |rig: &mut Rig, app: &mut _| {
        // A call, the first block of one, and a long answer.
        rig.simple(app, Code::GET, "/vm1/path");
        let more = [0; 1025];
        let answer = rig.piece(app, Code::PUT, "/vm1/path", 0, &more);
        assert_eq!(answer.code, Code::CONTINUE);
    };
    for num in 0..last {
        let answer = rig.piece(&mut op, Code::POST, "/vm-run", num, &body);
        assert_eq!(answer.code, Code::CONTINUE, "{num}: {answer:?}");
        use_it(&mut rig, &mut app);
    }
    let answer = rig.piece(&mut op, Code::POST, "/vm-run", last, &body);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    use_it(&mut rig, &mut app);
    let next = BlockOption {
        num: 1,
        more: false,
        szx: 6,
    };
    let rest = rig.request(&mut op, Code::POST, "/vm-run", None, Some(next), &[]);
    assert_eq!(rest.unwrap().payload, [7; 2000 - 1024]);
}

#[test]
fn a_roll_back_is_done_once_however_its_answer_is_fetched() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    rig.install(&answering("two"), 2);
    let path = "/vm-control/vm1/rollback";
    let block = |num, more| Some(BlockOption { num, more, szx: 0 });
    let mut op = rig.op();
    // A later block of an answer that there is not.
    let answer = rig.request(&mut op, Code::POST, path, None, block(1, false), &[]);
    assert!(answer.unwrap().is(Refusal::BlockOutOfOrder));
    rig.asks("two");
    // A body in blocks, where there should be none.
    let answer = rig.request(&mut op, Code::POST, path, block(0, true), None, &[0; 16]);
    assert!(answer.unwrap().is(Refusal::TooLarge));
    rig.asks("two");
    let answer = rig.request(&mut op, Code::POST, path, None, block(0, false), &[]);
    assert_eq!(answer.unwrap().code, Code::CHANGED);
    rig.asks("one");
    // Somebody else's long answer in between.
    let mut other = rig.op();
    rig.request(&mut other, Code::GET, VM1, None, block(0, false), &[]);
    let answer = rig.request(&mut op, Code::POST, path, None, block(1, false), &[]);
    assert_eq!(answer.unwrap().code, Code::CHANGED);
    rig.asks("one");
}
