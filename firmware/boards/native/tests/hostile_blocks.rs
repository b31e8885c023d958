//! Bodies in blocks (RFC 7959) by somebody with a session, who follows no rule of
//! theirs.

mod hostile_common;

use hostile_common::{GROWTH, Scene, VM1, storm};
use sealift_oscore::coap::{BlockOption, Code, number};
use testbed::{RawPeer, Sign};

/// The largest body that the device collects in RAM.
const JOB_LIMIT: u64 = 256 * 1024;

/// Seeded numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from((self.0 >> 11) % u64::from(limit)).unwrap()
    }
}

fn block(num: u32, more: bool, szx: u32) -> BlockOption {
    let szx = u8::try_from(szx).unwrap();
    BlockOption { num, more, szx }
}

#[test]
fn block_numbers_up_to_the_highest_leave_a_gap_and_are_refused() {
    let scene = Scene::new();
    let mut deployer = scene.insider("op");
    let mut user = scene.insider("app");
    let mut random = Random(0x5ea1_0001);
    let highest = (1 << 20) - 1;
    let mut numbers: Vec<u32> = (0..20).map(|bit| 1 << bit).collect();
    numbers.extend([highest, highest - 1, highest / 2]);
    numbers.extend((0..100).map(|_| 1 + random.below(highest)));
    let incomplete = Code::INCOMPLETE;
    for num in numbers {
        for szx in 0..7 {
            for more in [false, true] {
                let block = block(num, more, szx);
                let body = vec![0x5a; block.size()];
                let ask = |peer: &mut RawPeer, code, path| {
                    let answer = peer.request(code, path, Some(block), &body).unwrap();
                    answer.code
                };
                assert_eq!(ask(&mut deployer, Code::PUT, "/vm-control/vm2"), incomplete);
                assert_eq!(ask(&mut deployer, Code::POST, "/vm-run"), incomplete);
                assert_eq!(ask(&mut user, Code::PUT, "/vm1/version"), incomplete);
                // No transfer is open there.
                let payload = "/vm-control/vm2/payload";
                assert_eq!(ask(&mut deployer, Code::PUT, payload), Code::CONFLICT);
            }
        }
    }
    scene.ends();
}

#[test]
fn gaps_in_the_own_transfer_are_refused_and_it_goes_on() {
    let mut scene = Scene::new();
    let before = scene.received();
    let blocks = u32::try_from(scene.update.len().div_ceil(1024)).unwrap();
    for _ in 0..20 {
        for num in scene.next + 1..blocks {
            let update = &scene.update;
            let answer = scene.deployer.piece(Code::PUT, VM1, (num, 6), update);
            assert_eq!(answer.unwrap().code, Code::INCOMPLETE);
        }
        for num in [blocks, blocks + 1, 1 << 19, (1 << 20) - 1] {
            for more in [false, true] {
                let block = Some(block(num, more, 6));
                let answer = scene.deployer.request(Code::PUT, VM1, block, &[0; 1024]);
                // Where they are, or beyond the end that was announced.
                let code = answer.unwrap().code;
                assert!([Code::INCOMPLETE, Code::CONFLICT].contains(&code), "{code}");
            }
        }
    }
    assert_eq!(scene.received(), before);
    scene.ends();
}

#[test]
fn a_body_without_end_is_refused_when_it_is_too_long() {
    let mut scene = Scene::new();
    // What was collected is copied when it grows.
    scene.growth = GROWTH + 3 * JOB_LIMIT;
    let mut deployer = scene.insider("op");
    let mut user = scene.insider("app");
    for (peer, code, path, limit) in [
        (&mut deployer, Code::POST, "/vm-run", JOB_LIMIT),
        (&mut user, Code::PUT, "/vm1/version", 1024),
    ] {
        let limit = u32::try_from(limit / 1024).unwrap();
        for _ in 0..4 {
            for num in 0..3000 {
                let block = Some(block(num, true, 6));
                let answer = peer.request(code, path, block, &[0x5a; 1024]).unwrap();
                let expected = match num.cmp(&limit) {
                    std::cmp::Ordering::Less => Code::CONTINUE,
                    std::cmp::Ordering::Equal => Code::TOO_LARGE,
                    std::cmp::Ordering::Greater => Code::INCOMPLETE,
                };
                assert_eq!(answer.code, expected, "{path}, block {num}");
            }
        }
    }
    scene.ends();
}

#[test]
fn bodies_that_are_begun_in_any_number_are_not_all_kept() {
    let mut scene = Scene::new();
    let mut insiders: Vec<_> = (0..10).map(|_| scene.insider("app")).collect();
    for round in 0..5_u32 {
        for user in &mut insiders {
            let begin = |peer: &mut RawPeer, n: u32| {
                // Each is another body (RFC 9175, 3.3).
                let tag = (round << 16 | n).to_be_bytes();
                let (datagram, _) = peer
                    .protect(Code::PUT, |writer| {
                        writer.uri_path("/vm1/version")?;
                        writer.block(number::BLOCK1, block(0, true, 6))?;
                        writer.option(number::REQUEST_TAG, &tag)?;
                        writer.payload(&[0x5a; 1024])
                    })
                    .unwrap();
                datagram
            };
            assert_eq!(storm(user, 400, begin, |_| {}), 400);
        }
        assert_eq!(scene.version().text(), "1");
    }
    scene.ends();
}

/// A sender may go on with another size (RFC 7959, 2.5), and repeat what is there.
#[test]
fn blocks_of_changing_size_and_blocks_again_come_to_the_same_end() {
    let seed = 0x5ea1_0002;
    let mut random = Random(seed);
    let mut scene = Scene::new();
    let length = u32::try_from(scene.update.len()).unwrap();
    let mut taken = scene.next * 1024;
    while taken + 1024 < length - 4096 {
        let szx = random.below(7);
        let size = 16 << szx;
        // Up to where it is, or some way back.
        let back = random.below(3) * random.below(2000);
        let num = taken.saturating_sub(back) / size;
        let start = usize::try_from(num * size).unwrap();
        let end = start + usize::try_from(size).unwrap();
        let part = scene.update[start..end].to_vec();
        let (part, expected) = match random.below(10) {
            // Not as long as it says.
            0 => (part[1..].to_vec(), Code::BAD_REQUEST),
            1 => ([&part[..], &[0]].concat(), Code::BAD_REQUEST),
            _ => (part, Code::CONTINUE),
        };
        let block = Some(block(num, true, szx));
        let answer = scene.deployer.request(Code::PUT, VM1, block, &part);
        let code = answer.unwrap().code;
        assert_eq!(code, expected, "seed {seed:#x}, at {taken} of {length}");
        if code == Code::CONTINUE {
            taken = taken.max(u32::try_from(end).unwrap());
        }
    }
    scene.next = taken / 1024;
    // The rest of this block, the beginning of which is there.
    scene.goes_on();
    scene.ends();
}

/// The rule for two deployers: who has sent a block in the last 30 s goes on, and the
/// other one is told to try again later.
#[test]
fn a_second_deployer_does_not_take_over_a_transfer_that_goes_on() {
    let mut scene = Scene::new();
    let sign = Sign {
        capsule: "thermometer-v2",
        sequence: 7,
        ..Sign::default()
    };
    let signed = scene.workshop.sign("other.suit", &sign).unwrap();
    signed.success().unwrap();
    let other = std::fs::read(scene.workshop.path("other.suit")).unwrap();
    let mut second = scene.insider("second");
    for round in 0..20 {
        for path in [VM1, "/vm-control/vm2"] {
            let answer = second.piece(Code::PUT, path, (0, 6), &other).unwrap();
            assert_eq!(answer.code, Code::SERVICE_UNAVAILABLE, "{}", answer.text());
            let seconds = answer.option(number::MAX_AGE).expect("a Max-Age");
            assert!(matches!(seconds, [1..=30]), "{seconds:?}");
            // Blocks without a beginning, with any number.
            for num in [1, 2, 30, 1 << 19] {
                let block = Some(block(num, true, 6));
                let answer = second.request(Code::PUT, path, block, &[0x5a; 1024]);
                assert_eq!(answer.unwrap().code, Code::INCOMPLETE);
            }
        }
        // Payload that belongs somewhere else, which makes it nobody's transfer.
        let payload = format!("{VM1}/payload");
        let beyond = Some(block(100 + round, true, 6));
        let answer = second.request(Code::PUT, &payload, beyond, &[0x5a; 1024]);
        assert!([Code::INCOMPLETE, Code::CONFLICT].contains(&answer.unwrap().code));
        if round % 5 == 0 {
            scene.stands();
        }
    }
    scene.finish();
    // It is his turn once the first one is done, and not before the trial is.
    let answer = second.put(VM1, &other, 0).unwrap();
    assert_eq!(answer.code, Code::CONFLICT, "{}", answer.text());
    let confirm = format!("{VM1}/confirm");
    scene
        .deployer
        .request(Code::POST, &confirm, None, &[])
        .unwrap();
    let answer = second.put(VM1, &other, 0).unwrap();
    assert_eq!(answer.code, Code::CHANGED, "{}", answer.text());
}

#[test]
fn the_newer_envelope_of_a_peer_takes_the_place_of_its_older_one() {
    let mut scene = Scene::new();
    let update = scene.update.clone();
    let received = scene.received();
    let mut again = scene.insider("op");
    for _ in 0..50 {
        let answer = again.piece(Code::PUT, VM1, (0, 6), &update).unwrap();
        assert_eq!(answer.code, Code::CONTINUE);
        let block = (scene.next, 6);
        let answer = scene.deployer.piece(Code::PUT, VM1, block, &update);
        // The one who was first is told to begin anew. What the store has of the
        // payload is not lost.
        assert_eq!(answer.unwrap().code, Code::INCOMPLETE);
        assert_eq!(scene.received(), received);
        let answer = scene.deployer.piece(Code::PUT, VM1, (0, 6), &update);
        assert_eq!(answer.unwrap().code, Code::CONTINUE);
        for num in 1..scene.next {
            let answer = scene.deployer.piece(Code::PUT, VM1, (num, 6), &update);
            assert_eq!(answer.unwrap().code, Code::CONTINUE);
        }
    }
    scene.ends();
}
