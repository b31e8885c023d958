//! What a component may log and send is the component's: whoever crashes at
//! each call, or is replaced, gets nothing of being started anew.

use crate::device_common::capsules::{BIND, Capsule, LOG, Parts, SEND, persistent};
use crate::device_common::{Rig, envelope};
use sealift_core::capsule::{
    LOG_BURST, LOG_REFILL_MS, MAX_LOG_LINES, MAX_SENDS, SEND_BURST, SEND_REFILL_MS,
};
use sealift_manifest::{Grants, Kind};
use sealift_oscore::coap::Code;
use sealift_wire::Refusal;

/// Logs `path` this often.
fn lines(often: u32) -> String {
    format!(
        "(local.set $n (i32.const {often}))
        (loop (call $info (i32.const 24) (i32.const 4))
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
    )
}

/// Floods the log while it starts and when it is called, and traps then.
fn noisy() -> Capsule {
    let flood = format!("(local $n i32) {}", lines(2 * MAX_LOG_LINES));
    persistent(Parts {
        head: LOG,
        init: &flood,
        run: &format!("{flood} unreachable"),
        ..Parts::default()
    })
    .grant(Grants::LOG)
}

/// Binds a port and floods the network while it starts and when it is called,
/// and traps then.
fn chatty() -> Capsule {
    let flood = format!(
        "(local $n i32) (drop (call $bind (i32.const 1234)))
        (local.set $n (i32.const {}))
        (loop (drop (call $send (i32.const 2048)))
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))",
        2 * MAX_SENDS
    );
    persistent(Parts {
        head: &format!("{BIND}{SEND}"),
        init: &flood,
        run: &format!("{flood} unreachable"),
        // One byte at 4096, to 192.0.2.7, port 9.
        functions: r#"(data (i32.const 2048) "\00\10\00\00\01\00\00\00\00\00\c0\00\02\07")
            (data (i32.const 2074) "\09\00")"#,
        ..Parts::default()
    })
    .grant(Grants::UDP)
}

fn crash(rig: &mut Rig, times: usize) {
    for _ in 0..times {
        assert!(rig.ask().is(Refusal::Trapped));
    }
}

/// Lines that the capsules of a component have logged.
fn logged(rig: &Rig, vm: &str) -> usize {
    let said = format!("{vm}: ");
    let log = rig.board.log();
    log.iter().filter(|line| line.starts_with(&said)).count()
}

/// How many lines this one stands for.
fn left_out(line: &str) -> Option<u32> {
    let (count, rest) = line.strip_prefix("vm1: (")?.split_once(' ')?;
    assert_eq!(rest, "more lines left out)");
    count.parse().ok()
}

/// Datagrams and bound ports.
fn sent(rig: &Rig) -> usize {
    let services = rig.board.services();
    services.sent.len() + services.binds
}

const AT_ONCE: usize = LOG_BURST as usize;

#[test]
fn a_crash_loop_cannot_flood_the_log() {
    let mut rig = Rig::new();
    rig.install(&noisy(), 1);
    crash(&mut rig, 40);
    assert_eq!(rig.status().starts, Some(40));
    assert_eq!(logged(&rig, "vm1"), AT_ONCE);
    // A while later there is a little room, and first of all the number of
    // lines that were left out, of all those instances.
    rig.pass(3 * LOG_REFILL_MS);
    crash(&mut rig, 40);
    assert_eq!(logged(&rig, "vm1"), AT_ONCE + 3);
    let log = rig.board.log();
    assert!(left_out(&log[AT_ONCE]).is_some(), "{}", log[AT_ONCE]);
    // Twice as many as a call may, in each start and in each call.
    let all = log[..=AT_ONCE]
        .iter()
        .map(|line| left_out(line).unwrap_or(1));
    assert_eq!(all.sum::<u32>(), 2 * 40 * 2 * MAX_LOG_LINES);
}

#[test]
fn a_crash_loop_cannot_flood_the_network() {
    let mut rig = Rig::new();
    rig.install(&chatty(), 1);
    crash(&mut rig, 40);
    let at_once = SEND_BURST as usize;
    assert_eq!(sent(&rig), at_once);
    rig.pass(3 * SEND_REFILL_MS);
    crash(&mut rig, 40);
    assert_eq!(sent(&rig), at_once + 3);
}

#[test]
fn binding_ports_is_sending() {
    let capsule = persistent(Parts {
        head: BIND,
        run: "(loop (drop (call $bind (i32.const 7))) (br 0))",
        ..Parts::default()
    })
    .grant(Grants::UDP);
    let mut rig = Rig::new();
    rig.install(&capsule, 1);
    assert!(rig.ask().is(Refusal::OutOfFuel));
    assert_eq!(rig.board.services().binds, MAX_SENDS as usize);
}

#[test]
fn another_capsule_in_the_same_place_gets_no_other_quota() {
    let mut rig = Rig::new();
    rig.install(&noisy(), 1);
    crash(&mut rig, 10);
    rig.install(&noisy(), 2);
    let mut op = rig.op();
    let removed = rig.simple(&mut op, Code::DELETE, "/vm-control/vm1");
    assert_eq!(removed.code, Code::DELETED);
    rig.install(&noisy(), 3);
    crash(&mut rig, 10);
    assert_eq!(logged(&rig, "vm1"), AT_ONCE);
}

#[test]
fn another_component_has_its_own() {
    let mut rig = Rig::new();
    rig.install(&noisy(), 1);
    crash(&mut rig, 10);
    let mut op = rig.op();
    let other = envelope(&noisy(), 1, |spec| spec.component = "vm2".into());
    let answer = rig.put(&mut op, "/vm-control/vm2", &other).unwrap();
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    // Those of its start, and how many more there were.
    assert_eq!(logged(&rig, "vm2"), MAX_LOG_LINES as usize + 1);
    assert_eq!(logged(&rig, "vm1"), AT_ONCE);
}

#[test]
fn jobs_share_one() {
    let text = format!(
        r#"(module {LOG}
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
            (func (export "sealift:capsule/job@0.1.0#run") (param $at i32) (param $n i32)
                (result i32)
                {}
                unreachable)
            (data (i32.const 24) "path"))"#,
        lines(2 * MAX_LOG_LINES)
    );
    let component = crate::device_common::capsules::component(&text, "ephemeral", None);
    let job = Capsule::of_component(&component, Kind::Ephemeral).grant(Grants::LOG);
    let job = envelope(&job, 1, |spec| spec.component = "vm-run".into());
    let mut rig = Rig::new();
    let mut op = rig.op();
    for _ in 0..10 {
        let blocks: Vec<_> = (0..job.len().div_ceil(1024)).collect();
        let mut answer = None;
        for num in blocks {
            let num = u32::try_from(num).unwrap();
            answer = Some(rig.piece(&mut op, Code::POST, "/vm-run", num, &job));
        }
        let answer = answer.unwrap();
        assert!(answer.is(Refusal::Trapped), "{answer:?}");
    }
    assert_eq!(logged(&rig, "vm-run"), AT_ONCE);
}
