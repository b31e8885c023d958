//! The same messages through this crate and through liboscore, in both directions
//! and in both roles.

#[path = "liboscore_common/mod.rs"]
mod common;

use common::{
    Content, HEADER, Nonce, OPTIONS, ROOM, build, native, our_client, our_server, ours,
    request_to_theirs, theirs, unprotect_theirs, write_theirs,
};
use liboscore::OscoreOption;
use proptest::prelude::*;
use sealift_oscore::coap::{Code, Message};
use sealift_oscore::{MAX_DATAGRAM, protect};

/// What fits inside beside what goes around it, with identifiers of 7 bytes and an
/// ID Context of 16.
const MOST: usize = MAX_DATAGRAM - 50;

/// Up to what one datagram holds: several options, of any length, and a payload.
fn content(codes: &'static [u8]) -> impl Strategy<Value = Content> {
    let option = prop::sample::select(&OPTIONS[..]).prop_flat_map(|(number, longest)| {
        // Short ones as often as long ones.
        let short = prop::collection::vec(any::<u8>(), 0..=longest.min(12));
        let long = prop::collection::vec(any::<u8>(), longest.min(13)..=longest);
        prop_oneof![short, long].prop_map(move |value| (number, value))
    });
    let bytes = |range| prop::collection::vec(any::<u8>(), range);
    let payload = prop_oneof![bytes(0..2), bytes(0..80), bytes(1000..1200)];
    let options = prop::collection::vec(option, 0..6);
    (prop::sample::select(codes), options, payload).prop_map(|(code, mut options, payload)| {
        let mut left = MOST;
        options.retain(|(_, value)| {
            let fits = value.len() + 5 <= left;
            left -= if fits { value.len() + 5 } else { 0 };
            fits
        });
        options.sort_by_key(|(number, _)| *number);
        let payload = payload[..payload.len().min(left)].to_vec();
        Content {
            code,
            options,
            payload,
        }
    })
}

fn request() -> impl Strategy<Value = Content> {
    content(&[1, 2, 3, 4, 5, 6, 7])
}

fn response() -> impl Strategy<Value = Content> {
    content(&[65, 66, 67, 68, 69, 95, 128, 129, 132, 136, 141, 160, 163])
}

fn nonce() -> impl Strategy<Value = Nonce> {
    prop_oneof![Just(Nonce::OfTheRequest), Just(Nonce::OfItsOwn)]
}

fn exchanges() -> impl Strategy<Value = Vec<(Content, Content, Nonce)>> {
    prop::collection::vec((request(), response(), nonce()), 1..4)
}

fn ids() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let id = || prop::collection::vec(any::<u8>(), 0..=7);
    (id(), id()).prop_filter("different", |(a, b)| a != b)
}

fn id_context() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..=16))
}

fn small(code: u8) -> Content {
    Content {
        code,
        options: Vec::new(),
        payload: b"x".to_vec(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_directions((a, b) in ids(), context in id_context(), exchanges in exchanges()) {
        let context = context.as_deref();
        let (mut client, mut server) = (ours(&a, &b, context), theirs(&b, &a, context));
        for (request, response, nonce) in &exchanges {
            our_client(&mut client, &mut server, request, response, *nonce);
        }
        let (mut client, mut server) = (theirs(&a, &b, context), ours(&b, &a, context));
        for (request, response, nonce) in &exchanges {
            our_server(&mut client, &mut server, request, response, *nonce);
        }
    }

    #[test]
    fn option_values_are_read_alike(value in prop::collection::vec(any::<u8>(), 0..20)) {
        let read = protect::OscoreOption::decode(&value);
        if let Ok(option) = read {
            // What is accepted here, the other accepts with the same meaning.
            let other = OscoreOption::parse(&value).unwrap();
            prop_assert_eq!(other.kid(), option.kid);
            prop_assert_eq!(other.kid_context(), option.kid_context);
        }
    }

    #[test]
    fn damaged_requests_are_refused_by_both(
        request in request(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let mut client = ours(&[1], &[2], None);
        let mut out = [0; ROOM];
        let (length, _) = client
            .protect_request(HEADER, Code(request.code), build(&request), &mut out)
            .unwrap();
        let mut message = Message::parse(&out[..length]).unwrap();
        let mut damaged = message.payload.to_vec();
        let at = at.index(damaged.len());
        damaged[at] ^= 1 << bit;
        message.payload = &damaged;
        let other = unprotect_theirs(&mut theirs(&[2], &[1], None), &message);
        let mut server = ours(&[2], &[1], None);
        let mut scratch = [0; ROOM];
        let option = protect::OscoreOption::of(&message).unwrap();
        let own = server.unprotect_request(&option, &damaged, &mut scratch);
        prop_assert_eq!((own.is_ok(), other.is_ok()), (false, false));
    }

    #[test]
    fn damaged_responses_are_refused_by_both(
        response in response(),
        nonce in nonce(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        // The same exchange twice, as the numbers start anew: once for each reader.
        let exchange = || {
            let mut client = ours(&[1], &[2], None);
            let mut server = ours(&[2], &[1], None);
            let (mut out, mut scratch) = ([0; ROOM], [0; ROOM]);
            let (length, sent) = client
                .protect_request(HEADER, Code::GET, |_| Ok(()), &mut out)
                .unwrap();
            let message = Message::parse(&out[..length]).unwrap();
            let option = protect::OscoreOption::of(&message).unwrap();
            let (_, binding) = server
                .unprotect_request(&option, message.payload, &mut scratch)
                .unwrap();
            let code = Code(response.code);
            let (mut length, answered) = server
                .protect_response(binding, HEADER, code, build(&response), &mut out)
                .unwrap();
            if nonce == Nonce::OfItsOwn {
                length = server
                    .protect_further_response(&answered, HEADER, code, build(&response), &mut out)
                    .unwrap();
            }
            (client, sent, out[..length].to_vec())
        };
        let (client, sent, datagram) = exchange();
        let mut reply = Message::parse(&datagram).unwrap();
        let mut damaged = reply.payload.to_vec();
        let at = at.index(damaged.len());
        damaged[at] ^= 1 << bit;
        reply.payload = &damaged;
        let mut scratch = [0; ROOM];
        let own = client.unprotect_response(&sent, &reply, &mut scratch).is_ok();

        let mut client = theirs(&[1], &[2], None);
        let (_, mut correlation) = native(None, |native| {
            let get = Content { code: 1, options: Vec::new(), payload: Vec::new() };
            liboscore::protect_request(native, &mut client, |m| write_theirs(m, &get)).unwrap().0
        });
        let option = reply.option(9).unwrap().to_vec();
        let (_, other) = native(Some(&reply), |native| {
            let option = OscoreOption::parse(&option).unwrap();
            liboscore::unprotect_response(native, &mut client, option, &mut correlation, |_| ()).is_ok()
        });
        prop_assert_eq!((own, other), (false, false));
    }

    /// Requests in any order, some of them lost, some several times: nobody takes
    /// one twice, and what liboscore's window of 32 takes, ours of 64 does, too.
    #[test]
    fn replay_windows_agree(order in prop::collection::vec(0..600_usize, 1..60)) {
        let mut client = ours(&[1], &[2], None);
        let mut out = [0; ROOM];
        let requests: Vec<Vec<u8>> = (0..600)
            .map(|_| {
                let request = small(1);
                let (length, _) = client
                    .protect_request(HEADER, Code::GET, build(&request), &mut out)
                    .unwrap();
                out[..length].to_vec()
            })
            .collect();
        let (mut server, mut oracle) = (ours(&[2], &[1], None), theirs(&[2], &[1], None));
        let mut taken = std::collections::HashSet::new();
        // Far jumps, and a walk that stays near.
        let near = order.iter().map(|n| 300 + n % 50);
        for n in order.iter().copied().chain(near) {
            let message = Message::parse(&requests[n]).unwrap();
            let option = protect::OscoreOption::of(&message).unwrap();
            let mut scratch = [0; ROOM];
            let own = server.unprotect_request(&option, message.payload, &mut scratch).is_ok();
            let other = unprotect_theirs(&mut oracle, &message).is_ok();
            prop_assert!(own || !other, "number {}", n);
            if own {
                prop_assert!(taken.insert(n), "number {} twice", n);
            }
        }
    }
}

#[test]
fn the_longest_datagram_is_read_by_liboscore() {
    let mut client = ours(&[1; 7], &[2; 7], None);
    let mut server = theirs(&[2; 7], &[1; 7], None);
    let mut longest = 0;
    for length in 1100..=MAX_DATAGRAM {
        let request = Content {
            payload: vec![7; length],
            ..small(3)
        };
        let mut out = [0; ROOM];
        let fits = ours(&[1; 7], &[2; 7], None)
            .protect_request(HEADER, Code::PUT, build(&request), &mut out)
            .is_ok();
        if fits {
            let (_, _) = request_to_theirs(&mut client, &mut server, &request);
            longest = length;
        }
    }
    // Header and token 6, OSCORE option 10, markers 2, code 1, tag 8.
    assert_eq!(longest, MAX_DATAGRAM - 27);
}

#[test]
fn long_numbers_are_read_in_both_directions() {
    let (mut client, mut server) = (ours(&[1], &[2], None), theirs(&[2], &[1], None));
    let (mut their_client, mut our_side) = (theirs(&[1], &[2], None), ours(&[2], &[1], None));
    let (request, response) = (small(2), small(69));
    // Beyond the first byte of the Partial IV.
    for n in 0..600 {
        let nonce = match n % 2 {
            0 => Nonce::OfTheRequest,
            _ => Nonce::OfItsOwn,
        };
        our_client(&mut client, &mut server, &request, &response, nonce);
        our_server(&mut their_client, &mut our_side, &request, &response, nonce);
    }
    assert_eq!((client.sequence(), our_side.sequence()), (600, 300));
}
