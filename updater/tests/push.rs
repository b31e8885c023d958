//! Pushing to a device with real EDHOC and OSCORE, over good links and bad ones.

mod common;

use std::sync::atomic::Ordering;

use common::{Bench, COMPONENT, Manner, Model, bytes, package};
use sealift_oscore::coap::Code;
use sealift_wire::{Phase, Refusal};
use updater::{Error, Event, Flow, Outcome, Package, Pushed};

/// What a push reported.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    resumed_at: Vec<u64>,
    retries: usize,
    last_position: u64,
}

fn push(bench: &Bench, block_size: usize, package: &Package) -> Result<(Pushed, Seen), Error> {
    push_until(bench, block_size, package, u64::MAX)
}

fn push_until(
    bench: &Bench,
    block_size: usize,
    package: &Package,
    stop_after: u64,
) -> Result<(Pushed, Seen), Error> {
    let mut seen = Seen::default();
    let pushed = bench.client(block_size).push(package, &mut |event| {
        match event {
            Event::Resuming { at, total } => {
                assert_eq!(total, u64::try_from(package.payload().len()).unwrap());
                seen.resumed_at.push(at);
            }
            Event::Progress { position, sent, .. } => {
                seen.last_position = position;
                if sent >= stop_after {
                    return Flow::Stop;
                }
            }
            Event::Retrying { .. } => seen.retries += 1,
            _ => {}
        }
        Flow::Continue
    })?;
    Ok((pushed, seen))
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap()
}

#[test]
fn a_capsule_is_installed_in_both_deliveries_and_all_block_sizes() {
    let bench = Bench::new(Model::default(), Manner::default());
    let mut sequence = 0;
    for len in [1, 16, 1000, 1024, 5000] {
        for block_size in [16, 64, 1024] {
            for detached in [false, true] {
                sequence += 1;
                let payload = bytes(len, sequence);
                let package = package(sequence, &payload, detached);
                let (pushed, seen) = push(&bench, block_size, &package).unwrap();
                let Outcome::Activated(Some(status)) = pushed.outcome else {
                    panic!("{pushed:?}")
                };
                assert_eq!(status.sequence, Some(sequence));
                assert_eq!(status.phase, Phase::Trial);
                assert_eq!(pushed.sent, length(&payload));
                assert_eq!(seen.last_position, length(&payload));
                assert!(seen.resumed_at.is_empty());
                assert_eq!(bench.device.model().installed, payload);
            }
        }
    }
}

#[test]
fn the_same_envelope_again_is_nothing_to_do() {
    let bench = Bench::new(Model::default(), Manner::default());
    for (sequence, detached) in [(1, false), (2, true)] {
        let package = package(sequence, &bytes(5000, 1), detached);
        push(&bench, 256, &package).unwrap();
        bench.device.model().envelope_blocks = 0;
        let (pushed, _) = push(&bench, 256, &package).unwrap();
        assert_eq!(pushed.outcome, Outcome::AlreadyInstalled);
        // The device says so once it has seen the head.
        assert!(bench.device.model().envelope_blocks <= 3);
        assert!(pushed.sent <= 256);
    }
}

#[test]
fn an_interrupted_push_goes_on_where_it_stopped() {
    for detached in [false, true] {
        let bench = Bench::new(Model::default(), Manner::default());
        let payload = bytes(9000, 2);
        let package = package(1, &payload, detached);
        let stopped = push_until(&bench, 256, &package, 3000).unwrap_err();
        let Error::Stopped { sent: first } = stopped else {
            panic!("{stopped}")
        };
        assert!((3000..3256).contains(&first));
        assert_eq!(
            stopped.to_string(),
            format!("stopped after {first} bytes as asked")
        );
        let (pushed, seen) = push(&bench, 256, &package).unwrap();
        assert_eq!(seen.resumed_at, [first]);
        assert_eq!(bench.device.model().installed, payload);
        // At the most a block overlaps, where the head shifted the blocks.
        let all = first + pushed.sent;
        assert!(
            (length(&payload)..length(&payload) + 256).contains(&all),
            "{all}"
        );
    }
}

#[test]
fn a_push_resumes_from_any_offset() {
    let payload = bytes(3000, 3);
    for kept in [0, 1, 15, 16, 17, 1000, 1023, 1024, 1025, 2999, 3000] {
        let model = Model {
            restart_at: Some(kept),
            restart_to: Some(kept),
            ..Model::default()
        };
        let bench = Bench::new(model, Manner::default());
        push(&bench, 512, &package(1, &payload, true)).unwrap();
        assert_eq!(bench.device.model().installed, payload, "kept {kept}");
    }
}

#[test]
fn a_push_with_another_block_size_goes_on_too() {
    let bench = Bench::new(Model::default(), Manner::default());
    let payload = bytes(5000, 4);
    let package = package(1, &payload, true);
    let stopped = push_until(&bench, 64, &package, 1500).unwrap_err();
    assert!(matches!(stopped, Error::Stopped { sent: 1536 }));
    let (pushed, seen) = push(&bench, 1024, &package).unwrap();
    assert_eq!(seen.resumed_at, [1536]);
    // From the block that holds byte 1536.
    assert_eq!(pushed.sent, 5000 - 1024);
    assert_eq!(bench.device.model().installed, payload);
}

#[test]
fn a_finished_push_cannot_be_stopped_any_more() {
    let bench = Bench::new(Model::default(), Manner::default());
    let payload = bytes(2000, 5);
    let (pushed, _) = push_until(&bench, 1024, &package(1, &payload, true), 2000).unwrap();
    assert!(matches!(pushed.outcome, Outcome::Activated(_)));
}

#[test]
fn a_device_that_wants_smaller_blocks_gets_them() {
    for detached in [false, true] {
        let model = Model {
            szx: 2,
            ..Model::default()
        };
        let bench = Bench::new(model, Manner::default());
        let payload = bytes(3000, 6);
        let (pushed, _) = push(&bench, 1024, &package(1, &payload, detached)).unwrap();
        assert_eq!(pushed.sent, 3000);
        assert_eq!(bench.device.model().installed, payload);
    }
}

#[test]
fn a_device_that_restarts_in_the_middle_is_met_again() {
    for detached in [false, true] {
        let model = Model {
            restart_at: Some(4000),
            restart_loses: 1500,
            ..Model::default()
        };
        let bench = Bench::new(model, Manner::default());
        let payload = bytes(9000, 7);
        let (pushed, seen) = push(&bench, 512, &package(1, &payload, detached)).unwrap();
        assert_eq!(bench.device.model().installed, payload);
        assert_eq!(bench.device.handshakes.load(Ordering::Relaxed), 2);
        assert_eq!(
            seen.retries, 1,
            "4.08, as the device has less than we thought"
        );
        assert_eq!(seen.resumed_at.len(), 1);
        assert!(pushed.sent < 12_000, "{}", pushed.sent);
    }
}

#[test]
fn forged_responses_are_as_good_as_none() {
    let manner = Manner {
        forger: Some(Code::CONTENT),
        ..Manner::default()
    };
    let bench = Bench::new(Model::default(), manner);
    let payload = bytes(3000, 8);
    let (pushed, _) = push(&bench, 1024, &package(1, &payload, false)).unwrap();
    assert!(matches!(pushed.outcome, Outcome::Activated(_)));
    assert_eq!(bench.device.model().installed, payload);
    assert_eq!(bench.device.handshakes.load(Ordering::Relaxed), 1);
}

#[test]
fn a_refusal_ends_the_push_with_its_reason() {
    let bench = Bench::new(Model::default(), Manner::default());
    let payload = bytes(3000, 9);
    push(&bench, 1024, &package(5, &payload, false)).unwrap();

    let error = push(&bench, 1024, &package(4, &payload, false)).unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::OldSequence));
    assert!(error.to_string().ends_with("[26] (4.09)"), "{error}");

    bench.device.model().refuse_at = Some((2048, Refusal::NoSpace));
    bench.device.model().payload_bytes = 0;
    let error = push(&bench, 1024, &package(6, &payload, true)).unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::NoSpace));
    assert_eq!(bench.device.model().payload_bytes, 3000, "sent once");
    assert_eq!(bench.device.model().installed, payload);
}

#[test]
fn a_place_that_stays_lost_is_given_up() {
    let bench = Bench::new(Model::default(), Manner::default());
    bench.device.model().refuse_at = Some((1024, Refusal::WrongOffset));
    let mut retries = 0;
    let error = bench
        .client(1024)
        .push(&package(1, &bytes(3000, 10), true), &mut |event| {
            retries += usize::from(matches!(event, Event::Retrying { .. }));
            Flow::Continue
        })
        .unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::WrongOffset));
    assert_eq!(retries, 3);
}

#[test]
fn a_payload_that_does_not_belong_is_sent_with_a_warning_and_refused() {
    let bench = Bench::new(Model::default(), Manner::default());
    let envelope = common::envelope(1, &bytes(2000, 11), true);
    let other = bytes(2000, 12);
    let package = Package::new::<Error>(envelope, || Ok(Some(other))).unwrap();
    assert_eq!(package.warnings().len(), 1);
    let error = push(&bench, 1024, &package).unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::WrongPayload));
}

#[test]
fn an_altered_envelope_is_for_the_device_to_refuse() {
    let mut envelope = common::envelope(1, b"payload", false);
    // The fuel limit, 1000, becomes 1001.
    let fuel = [0x19, 0x03, 0xe8];
    let at = envelope.windows(3).position(|w| w == fuel).unwrap();
    envelope[at + 2] += 1;
    let package = Package::new::<Error>(envelope, || Ok(None)).unwrap();
    assert_eq!(package.warnings().len(), 1, "{:?}", package.warnings());
    assert_eq!(package.component(), COMPONENT);
}

#[test]
fn an_envelope_for_an_unknown_component_is_refused() {
    let bench = Bench::new(Model::default(), Manner::default());
    let error = bench.client(1024).component_status("vm9").unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::UnknownComponent));
    assert_eq!(
        bench.client(1024).component_status(COMPONENT).unwrap().name,
        "vm1"
    );
}

#[test]
fn what_is_no_envelope_is_not_sent() {
    for bytes in [Vec::new(), vec![0; 100], b"\xd8\x6b\xa2".to_vec()] {
        let error = Package::new::<Error>(bytes, || Ok(None)).unwrap_err();
        assert!(matches!(error, Error::Envelope(_)), "{error}");
    }
    let detached = common::envelope(1, b"payload", true);
    let error = Package::new::<Error>(detached, || Ok(None)).unwrap_err();
    assert!(matches!(error, Error::NoPayload));
}
