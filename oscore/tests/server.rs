//! What the server does with time: separate responses, idle sessions, freshness,
//! and a crowd that wants to shake hands.

mod common;

use common::{Client, Device, Outcome, Rng, address, identity, payload, post, post_again};
use sealift_oscore::coap::{Code, Header, Kind, Message, Writer, number};
use sealift_oscore::server::{HALF_OPEN_MS, SESSION_IDLE_MS};
use sealift_oscore::{ClientHandshake, Error, Identity};
use std::collections::BTreeSet;
use std::net::SocketAddr;

fn established() -> (Device, Client) {
    let a = identity(1, "alice");
    let mut device = Device::new(&[a.credential().clone()]);
    let client = Client::connect(&a, &mut device, address(1), 3);
    (device, client)
}

fn empty(kind: Kind, mid: u16) -> [u8; 4] {
    let [high, low] = mid.to_be_bytes();
    [1 << 6 | kind.bits() << 4, 0, high, low]
}

#[test]
fn an_answer_that_takes_long_comes_by_itself_until_it_is_acknowledged() {
    let (mut device, mut client) = established();
    device.slow = true;
    let (request, sent) = client.request(b"slow");
    let ack = device.take(client.from, &request);
    assert_eq!(ack.reply(), empty(Kind::Acknowledgement, client.mid));
    // A retransmission is acknowledged again, and not done again.
    assert_eq!(device.take(client.from, &request), ack);
    assert_eq!(device.executed, 1);
    assert_eq!(device.server.due_ms(), None);

    let (to, response) = device.answer();
    assert_eq!(to, client.from);
    let message = Message::parse(&response).unwrap();
    assert_eq!(message.kind, Kind::Confirmable);
    assert_ne!(message.mid, client.mid);
    assert_eq!(client.read(&sent, &response), b"\x01slow");
    // It now is the answer to a retransmission, too.
    assert_eq!(device.take(client.from, &request).reply(), response);

    let mut gaps = Vec::new();
    while let Some(due) = device.server.due_ms() {
        gaps.push(due - device.now_ms);
        device.now_ms = due - 1;
        assert_eq!(device.poll(), []);
        device.now_ms = due;
        let again = device.poll();
        if !again.is_empty() {
            assert_eq!(again, [(client.from, response.clone())]);
        }
    }
    // RFC 7252, 4.2: four times, each time after twice as long.
    assert!((2000..=3100).contains(&gaps[0]), "{gaps:?}");
    assert_eq!(gaps.len(), 5);
    assert!(gaps.windows(2).all(|pair| pair[1] == 2 * pair[0]));
}

#[test]
fn an_acknowledgement_ends_the_repetitions_and_a_forged_one_does_not() {
    for kind in [Kind::Acknowledgement, Kind::Reset] {
        let (mut device, mut client) = established();
        device.slow = true;
        let (request, _) = client.request(b"slow");
        device.take(client.from, &request);
        let (_, response) = device.answer();
        let mid = Message::parse(&response).unwrap().mid;
        device.take(address(66), &empty(kind, mid));
        assert_eq!(device.server.last_error(), Some(Error::Unprotected));
        device.take(client.from, &empty(kind, mid.wrapping_add(1)));
        assert!(device.server.due_ms().is_some());
        device.take(client.from, &empty(kind, mid));
        assert_eq!(device.server.last_error(), None);
        assert_eq!(device.server.due_ms(), None);
        // The response is still there for a request that is late itself.
        assert_eq!(device.take(client.from, &request).reply(), response);
    }
}

/// A request that needs no acknowledgement and no key: 4.01 comes back.
fn ask_unprotected(device: &mut Device, from: SocketAddr, mid: u16) -> u16 {
    let mut out = [0; 20];
    let header = Header {
        kind: Kind::NonConfirmable,
        mid,
        token: b"",
    };
    let writer = Writer::message(&mut out, header, Code::GET).unwrap();
    let length = writer.finish();
    let refused = device.take(from, &out[..length]);
    let answer = Message::parse(refused.reply()).unwrap();
    assert_eq!(answer.code, Code::UNAUTHORIZED);
    answer.mid
}

/// The message ID of the answer that comes by itself to a new request.
fn answered_late(device: &mut Device, client: &mut Client) -> u16 {
    device.slow = true;
    let (request, _) = client.request(b"slow");
    device.take(client.from, &request);
    let (to, response) = device.answer();
    assert_eq!(to, client.from);
    Message::parse(&response).unwrap().mid
}

#[test]
fn nobody_learns_the_message_ids_of_others_from_their_own() {
    let people = [identity(1, "alice"), identity(2, "bob")];
    let credentials = people.each_ref().map(|who| who.credential().clone());
    let mut device: Device = Device::new(&credentials);
    let mut alice = Client::connect(&people[0], &mut device, address(1), 3);
    let mut bob = Client::connect(&people[1], &mut device, address(2), 4);
    for number in 0..10 {
        // A stranger and a known peer look at what they get, before and after.
        let mut seen = vec![ask_unprotected(&mut device, address(66), number)];
        seen.push(answered_late(&mut device, &mut bob));
        device.take(address(2), &empty(Kind::Acknowledgement, seen[1]));
        assert_eq!(device.server.due_ms(), None);
        let mid = answered_late(&mut device, &mut alice);
        seen.push(ask_unprotected(&mut device, address(66), 100 + number));
        for seen in seen {
            for distance in 0..200 {
                let near = seen.wrapping_sub(100).wrapping_add(distance);
                device.take(address(1), &empty(Kind::Acknowledgement, near));
            }
        }
        assert!(device.server.due_ms().is_some());
        device.take(address(1), &empty(Kind::Acknowledgement, mid));
        assert_eq!(device.server.due_ms(), None);
    }
}

#[test]
fn no_message_id_is_used_twice_whatever_strangers_ask() {
    let (mut device, mut client) = established();
    let from = client.from;
    let mut seen = BTreeSet::new();
    for number in 0..500 {
        assert!(seen.insert(answered_late(&mut device, &mut client)));
        // With the client's own address, too.
        assert!(seen.insert(ask_unprotected(&mut device, from, number)));
        assert!(seen.insert(ask_unprotected(&mut device, from, 1000 + number)));
    }
    let before = answered_late(&mut device, &mut client);
    for number in 0..u16::MAX {
        ask_unprotected(&mut device, address(66), number);
    }
    assert_ne!(answered_late(&mut device, &mut client), before);
}

#[test]
fn a_request_without_confirmation_gets_its_late_answer_once() {
    let (mut device, mut client) = established();
    device.slow = true;
    let (mut request, sent) = client.request(b"slow");
    request[0] |= 1 << 4;
    assert_eq!(device.take(client.from, &request), Outcome::Ignore);
    assert_eq!(device.take(client.from, &request), Outcome::Ignore);
    assert_eq!(device.executed, 1);
    let (_, response) = device.answer();
    let message = Message::parse(&response).unwrap();
    assert_eq!(message.kind, Kind::NonConfirmable);
    assert_eq!(client.read(&sent, &response), b"\x01slow");
    assert_eq!(device.server.due_ms(), None);
}

#[test]
fn answers_that_are_not_acknowledged_outlast_others_that_are_kept() {
    let (mut device, mut client) = established();
    device.slow = true;
    let (request, _) = client.request(b"slow");
    device.take(client.from, &request);
    let (_, response) = device.answer();
    device.slow = false;
    for _ in 0..10 {
        client.works(&mut device);
    }
    assert_eq!(device.take(client.from, &request).reply(), response);
    device.now_ms = device.server.due_ms().unwrap();
    assert_eq!(device.poll(), [(client.from, response)]);
}

#[test]
fn an_answer_to_a_session_that_is_gone_goes_nowhere() {
    let (mut device, mut client) = established();
    device.slow = true;
    let (request, _) = client.request(b"slow");
    device.take(client.from, &request);
    device.now_ms = SESSION_IDLE_MS;
    assert_eq!(device.poll(), []);
    let (reply, _) = device.late.remove(0);
    let gone = device
        .server
        .respond(0, reply, Code::CONTENT, |_| Ok(()), &mut [0; 99]);
    assert_eq!(gone, Err(Error::SessionGone));
}

#[test]
fn an_idle_session_ends_and_one_in_use_does_not() {
    let (mut device, mut client) = established();
    device.server.set_idle(1000);
    for _ in 0..5 {
        device.now_ms += 999;
        client.works(&mut device);
    }
    device.now_ms += 1000;
    let (request, _) = client.request(b"late");
    assert_eq!(
        device.take(client.from, &request).code(),
        Code::UNAUTHORIZED
    );
    assert_eq!(device.server.last_error(), Some(Error::NoContext));
    assert_eq!(device.session_ids(), []);
}

#[test]
fn what_is_not_authentic_does_not_keep_a_session_alive() {
    let (mut device, mut client) = established();
    device.server.set_idle(1000);
    let (mut request, _) = client.request(b"x");
    *request.last_mut().unwrap() ^= 1;
    device.now_ms = 999;
    device.take(client.from, &request);
    device.now_ms = 1000;
    device.poll();
    assert_eq!(device.session_ids(), []);
}

#[test]
fn what_is_authentic_keeps_a_session_alive_whatever_it_says() {
    let (mut device, mut client) = established();
    device.server.set_idle(1000);
    let mut out = [0; 200];
    client.mid += 1;
    let header = common::header(client.mid);
    // A response where a request is due.
    let (length, _) = client
        .context
        .protect(header, Code::CONTENT, |_| Ok(()), &mut out)
        .unwrap();
    device.now_ms = 999;
    let refused = device.take(client.from, &out[..length]);
    assert_eq!(refused.code(), Code::BAD_REQUEST);
    assert_eq!(device.server.last_error(), Some(Error::InnerCode));
    device.now_ms = 1998;
    client.works(&mut device);
    // The same again is a replay, and shows nothing.
    device.now_ms = 2997;
    device.take(address(9), &out[..length]);
    assert_eq!(device.server.last_error(), Some(Error::Replay));
    device.now_ms = 2998;
    device.poll();
    assert_eq!(device.session_ids(), []);
}

fn post_with_echo(client: &mut Client, echo: &[u8]) -> Vec<u8> {
    let mut out = [0; 200];
    client.mid += 1;
    let header = common::header(client.mid);
    let build = |w: &mut Writer<'_>| w.option(number::ECHO, echo);
    let protected = client.context.protect(header, Code::POST, build, &mut out);
    let (length, _) = protected.unwrap();
    out[..length].to_vec()
}

#[test]
fn an_echo_that_comes_back_proves_that_a_request_is_new() {
    let (mut device, mut client) = established();
    let session = device.session_ids()[0];
    let mut proven = |device: &mut Device, echo: &[u8]| {
        let post = post_with_echo(&mut client, echo);
        device.proven(client.from, &post)
    };
    device.now_ms = 5000;
    assert_eq!(proven(&mut device, b""), 0);
    let echo = device
        .server
        .challenge(5000, session, &mut Rng::new(9))
        .unwrap();
    device.now_ms = 7000;
    assert_eq!(proven(&mut device, &[0; 8]), 0);
    assert_eq!(proven(&mut device, &echo[..7]), 0);
    assert_eq!(proven(&mut device, &echo), 5000);
    // A second request on its way was given the same value.
    let again = device
        .server
        .challenge(8000, session, &mut Rng::new(10))
        .unwrap();
    assert_eq!(again, echo);
    let later = device
        .server
        .challenge(5000 + 60_000, session, &mut Rng::new(10))
        .unwrap();
    assert_ne!(later, echo);
    device.now_ms = 70_000;
    assert_eq!(proven(&mut device, &echo), 5000);
    assert_eq!(proven(&mut device, &later), 65_000);
}

#[test]
fn an_echo_that_comes_back_proves_nothing_of_older_requests() {
    let (mut device, mut client) = established();
    let session = device.session_ids()[0];
    let from = client.from;
    let mut post = |echo| post_with_echo(&mut client, echo);
    let challenge = |device: &mut Device, now_ms| {
        device.now_ms = now_ms;
        let server = &mut device.server;
        server.challenge(now_ms, session, &mut Rng::new(9)).unwrap()
    };
    let held_back: Vec<_> = (0..3).map(|_| post(b"")).collect();
    let echo = challenge(&mut device, 700_000);
    let [one, between] = [post(&echo), post(b"")];
    let [two, after] = [post(&echo), post(b"")];
    // The second one with the value comes first: it proves nothing of the one before,
    // which may be as old as the session. The first one does.
    assert_eq!(device.proven(from, &two), 700_000);
    assert_eq!(device.proven(from, &held_back[0]), 0);
    assert_eq!(device.proven(from, &one), 700_000);
    assert_eq!(device.proven(from, &between), 700_000);
    assert_eq!(device.proven(from, &held_back[1]), 0);
    assert_eq!(device.proven(from, &after), 700_000);
    // Nor does the next value prove more of what was made before it.
    let held_for_less = post(b"");
    let echo = challenge(&mut device, 1_400_000);
    assert_eq!(device.proven(from, &post(&echo)), 1_400_000);
    assert!(device.proven(from, &held_for_less) <= 700_000);
    assert_eq!(device.proven(from, &held_back[2]), 0);
    assert_eq!(device.proven(from, &post(b"")), 1_400_000);
}

/// The place that a flood of message_1 leaves to somebody who takes part.
fn first_message(who: &Identity, device: &Device, seed: u64) -> (ClientHandshake, Vec<u8>, Rng) {
    let mut rng = Rng::new(seed);
    let (handshake, first) = ClientHandshake::start(who, &device.credential, &mut rng).unwrap();
    (handshake, first.to_vec(), rng)
}

fn from(ip: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, ip], port))
}

#[test]
fn a_newcomer_gets_in_during_a_flood() {
    let (mut device, mut old) = established();
    let a = identity(1, "alice");
    let stranger = identity(66, "stranger");
    let flood = |device: &mut Device, n: u16| {
        let (_, first, _) = first_message(&stranger, device, 500 + u64::from(n));
        // Addresses that are not the sender's own: no answer reaches it.
        device.take(address(1000 + n), &post(n, &first));
        // And from one of its own, from which it takes part.
        let asked = device.take(from(9, n), &post(n, &first));
        if asked.code() == Code::UNAUTHORIZED {
            let again = post_again(n, &first, asked.reply());
            assert_eq!(device.take(from(9, n), &again).code(), Code::CHANGED);
        }
    };
    (0..50).for_each(|n| flood(&mut device, n));

    let me = from(1, 5683);
    let (handshake, first, mut rng) = first_message(&a, &device, 77);
    let asked = device.take(me, &post(1, &first));
    assert!(asked.reply().len() < first.len(), "it must not amplify");
    assert_eq!(device.server.last_error(), Some(Error::Unreachable));
    (50..100).for_each(|n| flood(&mut device, n));
    let again = post_again(2, &first, asked.reply());
    // The value of one address is no good at another.
    assert_eq!(
        device.take(from(2, 5683), &again).code(),
        Code::UNAUTHORIZED
    );
    let message_2 = device.take(me, &again);
    assert_eq!(message_2.code(), Code::CHANGED);
    (100..150).for_each(|n| flood(&mut device, n));
    let (third, context) = handshake
        .receive_message_2(&payload(message_2.reply()), &mut rng)
        .unwrap();
    assert_eq!(device.take(me, &post(3, &third)).code(), Code::CHANGED);
    let mut newcomer = Client {
        context,
        from: me,
        mid: 9,
    };
    newcomer.works(&mut device);
    old.works(&mut device);
    // Once the flood is over, nobody is asked any more.
    device.now_ms += HALF_OPEN_MS;
    let (_, first, _) = first_message(&a, &device, 78);
    assert_eq!(device.take(me, &post(4, &first)).code(), Code::CHANGED);
}
