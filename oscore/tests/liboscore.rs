//! The same messages through this crate and through liboscore, in both directions.
//!
//! The inputs stay within what liboscore survives: known options, well-formed.

use coap_message::ReadableMessage as _;
use coap_message::{MessageOption as _, MinimalWritableMessage as _};
use coap_message_implementations::inmemory_write;
use liboscore::{AeadAlg, HkdfAlg, OscoreOption, PrimitiveContext, PrimitiveImmutables};
use proptest::prelude::*;
use sealift_oscore::coap::{Code, Header, Kind, Message, Writer};
use sealift_oscore::context::{Parameters, SecurityContext};
use sealift_oscore::protect;

const SECRET: [u8; 16] = [7; 16];
const SALT: [u8; 8] = [9; 8];
const HEADER: Header<'_> = Header {
    kind: Kind::Confirmable,
    mid: 1,
    token: &[1, 2],
};

/// A message inside: code, options, payload.
#[derive(Clone, Debug, PartialEq)]
struct Content {
    code: u8,
    options: Vec<(u16, Vec<u8>)>,
    payload: Vec<u8>,
}

fn ours(sender: &[u8], recipient: &[u8], id_context: Option<&[u8]>) -> SecurityContext {
    SecurityContext::derive(&Parameters {
        master_secret: &SECRET,
        master_salt: &SALT,
        sender_id: sender,
        recipient_id: recipient,
        id_context,
    })
    .unwrap()
}

fn theirs(sender: &[u8], recipient: &[u8]) -> PrimitiveContext {
    let immutables = PrimitiveImmutables::derive(
        HkdfAlg::from_number(5).unwrap(),
        &SECRET,
        &SALT,
        None,
        AeadAlg::from_number(10).unwrap(),
        sender,
        recipient,
    );
    PrimitiveContext::new_from_fresh_material(immutables.unwrap())
}

fn build(
    content: &Content,
) -> impl FnOnce(&mut Writer<'_>) -> Result<(), sealift_oscore::coap::Error> {
    |writer| {
        for (number, value) in &content.options {
            writer.option(*number, value)?;
        }
        writer.payload(&content.payload)
    }
}

fn read_ours(inner: &sealift_oscore::coap::Inner<'_>) -> Content {
    Content {
        code: inner.code.0,
        options: inner
            .options
            .clone()
            .map(|o| (o.number, o.value.to_vec()))
            .collect(),
        payload: inner.payload.to_vec(),
    }
}

fn read_theirs(message: &liboscore::ProtectedMessage) -> Content {
    Content {
        code: message.code(),
        options: message
            .options()
            .map(|o| (o.number(), o.value().to_vec()))
            .collect(),
        payload: message.payload().to_vec(),
    }
}

fn write_theirs(message: &mut liboscore::ProtectedMessage, content: &Content) {
    message.set_code(content.code);
    for (number, value) in &content.options {
        message.add_option(*number, value).unwrap();
    }
    message.set_payload(&content.payload).unwrap();
}

/// Runs `with` on an outer message that liboscore reads or writes; returns it as a
/// datagram.
fn native<R>(
    outer: Option<&Message<'_>>,
    with: impl FnOnce(&mut inmemory_write::Message<'_>) -> R,
) -> (Vec<u8>, R) {
    let (mut code, mut buffer) = (0, [0; 1500]);
    let mut message = inmemory_write::Message::new(&mut code, &mut buffer);
    if let Some(outer) = outer {
        message.set_code(outer.code.0);
        for option in outer.options.clone() {
            message.add_option(option.number, option.value).unwrap();
        }
        message.set_payload(outer.payload).unwrap();
    }
    let result = with(&mut message);
    let length = message.finish();
    let mut datagram = vec![0x42, code, 0, 1, 1, 2];
    datagram.extend_from_slice(&buffer[..length]);
    (datagram, result)
}

/// What both sides make of one exchange, client ours and server theirs.
fn our_client(
    client: &mut SecurityContext,
    server: &mut PrimitiveContext,
    request: &Content,
    response: &Content,
) {
    let mut out = [0; 1300];
    let (length, sent) = client
        .protect_request(HEADER, Code(request.code), build(request), &mut out)
        .unwrap();
    let message = Message::parse(&out[..length]).unwrap();
    let option = message.option(9).unwrap().to_vec();
    let (_, (mut correlation, seen)) = native(Some(&message), |native| {
        let option = OscoreOption::parse(&option).unwrap();
        liboscore::unprotect_request(native, option, server, read_theirs).unwrap()
    });
    assert_eq!(seen, *request);
    let (datagram, ()) = native(None, |native| {
        liboscore::protect_response(native, server, &mut correlation, |message| {
            write_theirs(message, response);
        })
        .unwrap();
    });
    let reply = Message::parse(&datagram).unwrap();
    let mut scratch = [0; 1300];
    let inner = client
        .unprotect_response(&sent, &reply, &mut scratch)
        .unwrap();
    assert_eq!(read_ours(&inner), *response);
}

/// What both sides make of one exchange, client theirs and server ours.
fn our_server(
    client: &mut PrimitiveContext,
    server: &mut SecurityContext,
    request: &Content,
    response: &Content,
    further: bool,
) {
    let (datagram, mut correlation) = native(None, |native| {
        liboscore::protect_request(native, client, |message| write_theirs(message, request))
            .unwrap()
            .0
    });
    let message = Message::parse(&datagram).unwrap();
    let option = protect::OscoreOption::of(&message).unwrap();
    let mut scratch = [0; 1300];
    let (inner, binding) = server
        .unprotect_request(&option, message.payload, &mut scratch)
        .unwrap();
    assert_eq!(read_ours(&inner), *request);
    let mut out = [0; 1300];
    let (mut length, answered) = server
        .protect_response(
            binding,
            HEADER,
            Code(response.code),
            build(response),
            &mut out,
        )
        .unwrap();
    if further {
        length = server
            .protect_further_response(
                &answered,
                HEADER,
                Code(response.code),
                build(response),
                &mut out,
            )
            .unwrap();
    }
    let reply = Message::parse(&out[..length]).unwrap();
    let option = reply.option(9).unwrap().to_vec();
    let (_, seen) = native(Some(&reply), |native| {
        let option = OscoreOption::parse(&option).unwrap();
        liboscore::unprotect_response(native, client, option, &mut correlation, read_theirs)
            .unwrap()
    });
    assert_eq!(seen, *response);
}

/// Options of class E that liboscore knows, with values as they may have.
fn content(codes: &'static [u8]) -> impl Strategy<Value = Content> {
    let bytes = |n| prop::collection::vec(any::<u8>(), 0..n);
    let options = (
        prop::collection::vec(bytes(20), 0..3),
        prop::option::of(bytes(3)),
        prop::collection::vec(bytes(300), 0..2),
        prop::option::of(bytes(4)),
        prop::option::of(bytes(4)),
    )
        .prop_map(|(path, format, query, block2, block1)| {
            let many = |number, values: Vec<Vec<u8>>| values.into_iter().map(move |v| (number, v));
            many(11, path)
                .chain(many(12, format.into_iter().collect()))
                .chain(many(15, query))
                .chain(many(23, block2.into_iter().collect()))
                .chain(many(27, block1.into_iter().collect()))
                .collect::<Vec<_>>()
        });
    (prop::sample::select(codes), options, bytes(600)).prop_map(|(code, options, payload)| {
        Content {
            code,
            options,
            payload,
        }
    })
}

fn ids() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let id = || prop::collection::vec(any::<u8>(), 0..=7);
    (id(), id()).prop_filter("different", |(a, b)| a != b)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_directions(
        (a, b) in ids(),
        exchanges in prop::collection::vec(
            (content(&[1, 2, 3, 4]), content(&[65, 68, 69, 132, 160])), 1..4),
        further: bool,
    ) {
        let (mut client, mut server) = (ours(&a, &b, None), theirs(&b, &a));
        for (request, response) in &exchanges {
            our_client(&mut client, &mut server, request, response);
        }
        let (mut client, mut server) = (theirs(&a, &b), ours(&b, &a, None));
        for (request, response) in &exchanges {
            our_server(&mut client, &mut server, request, response, further);
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
        request in content(&[1, 2, 3]),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let mut client = ours(&[1], &[2], None);
        let mut out = [0; 1300];
        let (length, _) = client
            .protect_request(HEADER, Code(request.code), build(&request), &mut out)
            .unwrap();
        let mut message = Message::parse(&out[..length]).unwrap();
        let option = message.option(9).unwrap().to_vec();
        let mut damaged = message.payload.to_vec();
        let at = at.index(damaged.len());
        damaged[at] ^= 1 << bit;
        message.payload = &damaged;
        let mut theirs = theirs(&[2], &[1]);
        let (_, other) = native(Some(&message), |native| {
            let option = OscoreOption::parse(&option).unwrap();
            liboscore::unprotect_request(native, option, &mut theirs, |_| ()).is_ok()
        });
        let mut server = ours(&[2], &[1], None);
        let mut scratch = [0; 1300];
        let option = protect::OscoreOption::of(&message).unwrap();
        let own = server.unprotect_request(&option, &damaged, &mut scratch).is_ok();
        prop_assert_eq!((own, other), (false, false));
    }
}
