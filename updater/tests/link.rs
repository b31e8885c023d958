//! Bad links, in virtual time with the default waits: loss, duplicates, delays and
//! reordering by seed, and what else comes between the two ends.

mod common;

use std::time::Duration;

use common::model::PAGE;
use common::simulated::in_blocks_of;
use common::{COMPONENT, Manner, Model, World, bytes, package};
use sealift_oscore::coap::Code;
use sealift_wire::{Phase, Refusal};
use testbed::{Dice, Mishap, Weather, most_transmissions};
use updater::{Config, Error, Event, Flow, Method, Outcome, Package, Params, Pushed, Request};

const PAYLOAD: usize = 40_000;

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A quick link that loses and mixes up.
fn storm(loss: u32) -> Weather {
    Weather {
        loss,
        twice: 20,
        delay: millis(20),
        jitter: millis(30),
        late: 20,
        hold: millis(3000),
    }
}

fn installed(world: &World, pushed: &Pushed, payload: &[u8]) -> bool {
    matches!(pushed.outcome, Outcome::Activated(_)) && world.model().installed == payload
}

/// What goes up for a payload: two key exchange messages, the status, the envelope,
/// the status again, and the blocks of the payload.
fn messages(package: &Package, block_size: usize) -> usize {
    let blocks = |body: &[u8]| body.len().div_ceil(block_size);
    4 + blocks(package.envelope()) + blocks(package.payload())
}

#[test]
fn forty_kilobytes_arrive_over_links_that_lose_a_third_of_all() {
    for loss in [0, 10, 30] {
        for block_size in [256, 1024] {
            let mut worst = 0;
            for seed in 1..=10 {
                let weather = Weather {
                    loss,
                    delay: millis(25),
                    ..Weather::default()
                };
                let world = World::new(Model::default(), Manner::default(), weather, seed);
                let payload = bytes(PAYLOAD, seed);
                let package = package(seed, &payload, true);
                let mut client = world.client(in_blocks_of(block_size));
                let pushed = client.push(&package, &mut |_| Flow::Continue).unwrap();
                assert!(installed(&world, &pushed, &payload), "seed {seed}");
                // Not one block was made a second time: what was lost was sent
                // again as it was.
                assert_eq!(pushed.sent, 40_000, "seed {seed}");
                let counted = world.link().sent_up();
                assert!(client.traffic().sent <= counted.datagrams);
                let most = most_transmissions(messages(&package, block_size), loss);
                assert!(
                    counted.datagrams <= most,
                    "seed {seed}: {} of at most {most} transmissions",
                    counted.datagrams
                );
                // A block with its options, tag and header, and as much for those
                // messages that carry none.
                let bytes = most * u64::try_from(block_size + 60).unwrap();
                assert!(counted.bytes <= bytes, "seed {seed}: {counted:?}");
                worst = worst.max(counted.bytes);
            }
            println!(
                "{loss} % loss, blocks of {block_size}: at most {worst} bytes sent for {PAYLOAD}"
            );
        }
    }
}

#[test]
fn duplicates_delays_and_reordering_do_no_harm() {
    for seed in 1..=30 {
        let separate = (seed % 2 == 0).then_some(millis(300));
        let manner = Manner {
            separate,
            ..Manner::default()
        };
        let loss = if seed % 3 == 0 { 0 } else { 20 };
        let world = World::new(Model::default(), manner, storm(loss), seed);
        let payload = bytes(6000, seed);
        let package = package(seed, &payload, seed % 5 == 0);
        let mut client = world.client(in_blocks_of(512));
        let pushed = client.push(&package, &mut |_| Flow::Continue).unwrap();
        assert!(installed(&world, &pushed, &payload), "seed {seed}");
        assert_eq!(pushed.sent, 6000, "seed {seed}");
    }
}

/// What comes between the two ends of a transfer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    /// The client's address changes, as behind a router that forgets.
    Port,
    /// The updater ends, and is started again.
    Updater,
    /// The device loses its power, and is back after this many milliseconds.
    Device(u64),
    /// The device drops the security context.
    Context,
}

/// Pushes through these troubles, one after each so many bytes; returns the bytes
/// that were sent in all.
fn push_through(world: &World, package: &Package, troubles: &[Trouble], each: u64) -> u64 {
    let mut left = troubles.iter();
    let mut sent_before = 0;
    let mut next = each;
    loop {
        let mut client = world.client(in_blocks_of(1024));
        let pushed = client.push(package, &mut |event| {
            let Event::Progress { position, .. } = event else {
                return Flow::Continue;
            };
            if position < next {
                return Flow::Continue;
            }
            next = position + each;
            match left.next() {
                None => {}
                Some(Trouble::Updater) => return Flow::Stop,
                Some(Trouble::Port) => world.link().change_port(),
                Some(Trouble::Device(down)) => world.restart_device(millis(*down)),
                Some(Trouble::Context) => world.link().peer.forget_contexts(),
            }
            Flow::Continue
        });
        match pushed {
            Ok(pushed) => {
                assert!(matches!(pushed.outcome, Outcome::Activated(_)));
                assert_eq!(left.len(), 0, "too short for its troubles");
                return sent_before + pushed.sent;
            }
            Err(Error::Stopped { sent }) => sent_before += sent,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The most bytes that have to be sent again: after a power cut those of the page
/// that was being written, otherwise the block whose answer was lost.
fn again(trouble: Trouble) -> u64 {
    let bytes = match trouble {
        Trouble::Device(_) => PAGE,
        Trouble::Port | Trouble::Context => 1024,
        Trouble::Updater => 0,
    };
    u64::try_from(bytes).unwrap()
}

#[test]
fn each_trouble_costs_a_page_at_the_most() {
    let troubles = [
        Trouble::Port,
        Trouble::Updater,
        Trouble::Device(0),
        Trouble::Device(500),
        // Longer than any exchange goes on.
        Trouble::Device(200_000),
        Trouble::Context,
    ];
    for trouble in troubles {
        for seed in 1..=4 {
            let weather = Weather {
                delay: millis(25),
                ..Weather::default()
            };
            let world = World::new(Model::default(), Manner::default(), weather, seed);
            let payload = bytes(PAYLOAD, seed);
            let package = package(1, &payload, true);
            let sent = push_through(&world, &package, &[trouble], 7000 * seed);
            assert_eq!(world.model().installed, payload);
            let twice = sent - 40_000;
            println!("{trouble:?} after {}: {twice} bytes again", 7000 * seed);
            assert!(twice <= again(trouble), "{trouble:?}: {twice} bytes again");
        }
    }
}

#[test]
fn the_address_may_change_at_any_datagram() {
    // All of the key exchange, the status, the envelope and the payload.
    for datagram in 1..=12 {
        for detached in [false, true] {
            let world = World::new(
                Model::default(),
                Manner::default(),
                Weather::default(),
                datagram,
            );
            world.link().plan(datagram, Mishap::NewPort);
            let payload = bytes(6000, datagram);
            let package = package(1, &payload, detached);
            let mut client = world.client(Config::default());
            let pushed = client.push(&package, &mut |_| Flow::Continue).unwrap();
            assert!(installed(&world, &pushed, &payload), "{datagram}");
            assert!(pushed.sent <= 6000 + 1024, "{datagram}: {}", pushed.sent);
        }
    }
}

#[test]
fn many_troubles_on_a_bad_link_cost_a_page_each() {
    for seed in 1..=40 {
        let mut dice = Dice::new(seed);
        let troubles: Vec<_> = (0..5)
            .map(|_| match dice.below(5) {
                0 => Trouble::Port,
                1 => Trouble::Updater,
                2 => Trouble::Device(100),
                3 => Trouble::Device(120_000),
                _ => Trouble::Context,
            })
            .collect();
        let world = World::new(Model::default(), Manner::default(), storm(20), seed);
        let payload = bytes(PAYLOAD, seed);
        let package = package(1, &payload, seed % 2 == 0);
        let sent = push_through(&world, &package, &troubles, 5000);
        assert_eq!(world.model().installed, payload, "seed {seed}");
        let twice = sent - 40_000;
        let most = troubles.iter().map(|_| 4096 + 1024).sum();
        assert!(twice <= most, "seed {seed}: {twice}, {troubles:?}");
    }
}

#[test]
fn tries_are_counted_from_the_last_progress_on() {
    let tries = |resume_tries| Config {
        resume_tries,
        params: Params {
            ack_timeout: millis(100),
            ..Params::default()
        },
        ..Config::default()
    };
    let weather = Weather::default();
    // Nine outages, each longer than an exchange, and one try for each.
    let world = World::new(Model::default(), Manner::default(), weather, 1);
    let payload = bytes(PAYLOAD, 1);
    let package = package(1, &payload, true);
    let mut next = 4000;
    let mut retries = 0;
    let mut client = world.client(tries(1));
    let pushed = client.push(&package, &mut |event| {
        match event {
            Event::Progress { position, .. } if position >= next && position < 40_000 => {
                next += 4000;
                world.restart_device(millis(4700));
            }
            Event::Retrying { .. } => retries += 1,
            _ => {}
        }
        Flow::Continue
    });
    assert!(installed(&world, &pushed.unwrap(), &payload));
    assert_eq!(retries, 9);
    // Each try came from a new address.
    assert_eq!(world.link().peer.addresses.len(), 1 + 9);

    // A device that never keeps what it gets is given up.
    let model = Model {
        refuse_at: Some((8192, Refusal::WrongOffset)),
        ..Model::default()
    };
    let world = World::new(model, Manner::default(), weather, 2);
    let mut retries = 0;
    let error = world
        .client(tries(5))
        .push(&package, &mut |event| {
            retries += usize::from(matches!(event, Event::Retrying { .. }));
            Flow::Continue
        })
        .unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::WrongOffset));
    assert_eq!(retries, 5);
}

#[test]
fn an_update_whose_last_answer_is_lost_is_no_failure() {
    for detached in [false, true] {
        let world = World::new(Model::default(), Manner::default(), Weather::default(), 3);
        let payload = bytes(3000, 3);
        let package = package(1, &payload, detached);
        let mut client = world.client(Config::default());
        let pushed = client.push(&package, &mut |event| {
            if let Event::Progress {
                position: 2000.., ..
            } = event
            {
                // With the last block, it activates and loses its power.
                world.model().restart_now = true;
            }
            Flow::Continue
        });
        let pushed = pushed.unwrap();
        let Outcome::Activated(Some(status)) = &pushed.outcome else {
            panic!("{pushed:?}")
        };
        assert_eq!(status.sequence, Some(1));
        assert!(installed(&world, &pushed, &payload));
        // The same again is really nothing to do, also in one block.
        let again = client.push(&package, &mut |_| Flow::Continue).unwrap();
        assert_eq!(again.outcome, Outcome::AlreadyInstalled);
    }
}

#[test]
fn an_update_whose_last_block_is_acknowledged_and_never_answered_is_no_failure() {
    // The device forgets one request.
    let forgetful = |number| Manner {
        forgets: Some(number),
        ..Manner::default()
    };
    let payload = bytes(3000, 9);
    for detached in [false, true] {
        for interrupted in [false, true] {
            let package = package(1, &payload, detached);
            let world = World::new(Model::default(), Manner::default(), Weather::default(), 9);
            let mut client = world.client(Config::default());
            if interrupted {
                let stopped = client.push(&package, &mut |_| Flow::Stop);
                assert!(matches!(stopped, Err(Error::Stopped { .. })));
            }
            let last = match (detached, interrupted) {
                // The status, and four blocks.
                (false, false) => 5,
                // The status, the envelope, the status, three blocks.
                (true, false) => 6,
                // The status, and the payload from the block on that is not whole.
                (false, true) => 4,
                (true, true) => 3,
            };
            let before = world.link().peer.requests;
            world.link().peer.manner = forgetful(before + last);
            let mut retries = 0;
            let pushed = client.push(&package, &mut |event| {
                if let Event::Retrying { error, .. } = event {
                    retries += 1;
                    assert!(matches!(error, Error::NoResponse { .. }), "{error}");
                    assert_eq!(world.model().installed, payload, "it was the last one");
                }
                Flow::Continue
            });
            assert!(installed(&world, &pushed.unwrap(), &payload));
            assert_eq!(retries, 1);
        }
    }
}

#[test]
fn a_small_capsule_that_is_there_is_nothing_to_do() {
    let world = World::new(Model::default(), Manner::default(), Weather::default(), 4);
    let package = package(1, &bytes(10, 4), false);
    let mut client = world.client(Config::default());
    client.push(&package, &mut |_| Flow::Continue).unwrap();
    let again = client.push(&package, &mut |_| Flow::Continue).unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyInstalled);
}

#[test]
fn what_must_not_be_done_twice_is_done_once_or_reported() {
    let (mut done, mut unsure) = (0, 0);
    for seed in 1..=150 {
        let manner = Manner {
            separate: (seed % 2 == 0).then_some(millis(40)),
            forgets: (seed % 7 == 0).then_some(9),
            ..Manner::default()
        };
        let weather = Weather {
            // Nothing is held back for as long as a restart takes.
            hold: millis(900),
            ..storm(30)
        };
        let world = World::new(Model::default(), manner, weather, seed);
        let mut dice = Dice::new(seed);
        let mut client = world.client(Config::default());
        let request = Request::new(Method::Post, "/vm1/count");
        for _ in 0..12 {
            match dice.below(4) {
                0 => world.restart_device(millis(1500)),
                1 => world.link().change_port(),
                _ => {}
            }
            let before = world.model().count;
            let answer = client.request(&request);
            let times = world.model().count - before;
            match answer {
                Ok(response) => {
                    assert_eq!(times, 1, "seed {seed}");
                    let said = String::from_utf8(response.payload).unwrap();
                    assert_eq!(said, world.model().count.to_string(), "seed {seed}");
                    done += 1;
                }
                Err(
                    error @ (Error::Uncertain | Error::NoAnswer { .. } | Error::NoResponse { .. }),
                ) => {
                    assert!(times <= 1, "seed {seed}: {times} times, {error}");
                    unsure += 1;
                }
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
    }
    println!("{done} done, {unsure} reported as unsure");
    assert!(done > 1000 && unsure > 50, "{done}, {unsure}");
}

#[test]
fn what_may_be_done_twice_is_asked_for_again_where_no_answer_comes() {
    // Every second request is acknowledged and then forgotten.
    let manner = Manner {
        forgets: Some(2),
        ..Manner::default()
    };
    let world = World::new(Model::default(), manner, Weather::default(), 5);
    let mut client = world.client(Config::default());
    for _ in 0..5 {
        client.device_status().unwrap();
    }
    // Requests 2, 4, 6, 8 were forgotten, and each cost the time of an exchange.
    let wait = Params::default().response_wait();
    assert!(world.now() >= wait * 4 && world.now() < wait * 5);
    let post = Request::new(Method::Post, "/vm1/count");
    let error = client.request(&post).unwrap_err();
    assert!(matches!(error, Error::NoResponse { .. }), "{error}");
    assert_eq!(world.model().count, 1);
}

#[test]
fn the_work_of_a_key_exchange_does_not_make_the_link_slow() {
    let manner = Manner {
        handshake: millis(1500),
        ..Manner::default()
    };
    let weather = Weather {
        delay: millis(10),
        ..Weather::default()
    };
    let world = World::new(Model::default(), manner, weather, 7);
    let mut client = world.client(Config::default());
    client.device_status().unwrap();
    let next = world.link().sent_up().datagrams + 1;
    world.link().plan(next, Mishap::Loss);
    let before = world.now();
    client.device_status().unwrap();
    let took = world.now() - before;
    assert!(took > millis(200) && took < millis(350), "{took:?}");
}

#[test]
fn a_session_that_expired_is_renewed() {
    let world = World::new(Model::default(), Manner::default(), Weather::default(), 6);
    let mut client = world.client(Config::default());
    client.device_status().unwrap();
    world.wait(Duration::from_secs(25 * 60 * 60));
    client.device_status().unwrap();
    assert_eq!(world.link().peer.handshakes, 2);
    client
        .push(&package(1, &bytes(100, 6), false), &mut |_| Flow::Continue)
        .unwrap();
    // A POST that meets no session may have met one before, for all the client knows.
    world.wait(Duration::from_secs(25 * 60 * 60));
    let error = client.confirm(COMPONENT).unwrap_err();
    assert!(matches!(error, Error::Uncertain), "{error}");
    let status = client.component_status(COMPONENT).unwrap();
    assert_eq!(status.phase, Phase::Trial);
    let status = client.confirm(COMPONENT).unwrap().unwrap();
    assert_eq!(status.phase, Phase::Confirmed);
    assert_eq!(world.link().peer.handshakes, 3);
}

#[test]
fn what_somebody_sent_ahead_of_us_is_not_sent_again() {
    let manner = Manner {
        copier: true,
        ..Manner::default()
    };
    let world = World::new(Model::default(), manner, Weather::default(), 8);
    let mut client = world.client(Config::default());
    let post = Request::new(Method::Post, "/vm1/count");
    for count in 1..=3 {
        // Done for the copy; what comes after it is a replay to the device.
        let error = client.request(&post).unwrap_err();
        assert!(matches!(error, Error::Uncertain), "{error}");
        assert_eq!(world.model().count, count);
    }
    world.link().peer.manner.copier = false;
    assert_eq!(client.request(&post).unwrap().payload, b"4");
}

#[test]
fn what_somebody_says_went_wrong_may_have_been_done() {
    let manner = Manner {
        forger: Some(Code::INTERNAL_SERVER_ERROR),
        ..Manner::default()
    };
    let world = World::new(Model::default(), manner, Weather::default(), 8);
    let mut client = world.client(Config::default());
    let post = Request::new(Method::Post, "/vm1/count");
    let error = client.request(&post).unwrap_err();
    assert!(matches!(error, Error::Uncertain), "{error}");
    assert_eq!(world.model().count, 1);
}
