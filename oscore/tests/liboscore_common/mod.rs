//! The same messages through this crate and through liboscore: for `liboscore.rs`
//! and, with what a fuzzer makes up, for `fuzz/harness`.
//!
//! The inputs stay within what liboscore survives: options that it knows
//! ([`OPTIONS`]), well-formed. It does not send an ID Context, and derives from one.

use coap_message::ReadableMessage as _;
use coap_message::{MessageOption as _, MinimalWritableMessage as _};
use coap_message_implementations::inmemory_write;
use liboscore::{
    AeadAlg, HkdfAlg, OscoreOption, PrimitiveContext, PrimitiveImmutables, UnprotectRequestError,
};
use sealift_oscore::coap::{Code, Header, Kind, Message, Writer};
use sealift_oscore::context::{Parameters, SecurityContext};
use sealift_oscore::protect;

const SECRET: [u8; 16] = [7; 16];
const SALT: [u8; 8] = [9; 8];
pub(crate) const HEADER: Header<'_> = Header {
    kind: Kind::Confirmable,
    mid: 1,
    token: &[1, 2],
};

/// Longer than any datagram here.
pub(crate) const ROOM: usize = 1500;

pub(crate) type Correlation = liboscore::raw::oscore_requestid_t;

/// A message inside: code, options, payload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content {
    pub(crate) code: u8,
    pub(crate) options: Vec<(u16, Vec<u8>)>,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn ours(sender: &[u8], recipient: &[u8], id_context: Option<&[u8]>) -> SecurityContext {
    SecurityContext::derive(&Parameters {
        master_secret: &SECRET,
        master_salt: &SALT,
        sender_id: sender,
        recipient_id: recipient,
        id_context,
    })
    .unwrap()
}

pub(crate) fn theirs(
    sender: &[u8],
    recipient: &[u8],
    id_context: Option<&[u8]>,
) -> PrimitiveContext {
    let immutables = PrimitiveImmutables::derive(
        HkdfAlg::from_number(5).unwrap(),
        &SECRET,
        &SALT,
        id_context,
        AeadAlg::from_number(10).unwrap(),
        sender,
        recipient,
    );
    PrimitiveContext::new_from_fresh_material(immutables.unwrap())
}

pub(crate) fn build(
    content: &Content,
) -> impl FnOnce(&mut Writer<'_>) -> Result<(), sealift_oscore::coap::Error> {
    |writer| {
        for (number, value) in &content.options {
            writer.option(*number, value)?;
        }
        writer.payload(&content.payload)
    }
}

pub(crate) fn read_ours(inner: &sealift_oscore::coap::Inner<'_>) -> Content {
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

pub(crate) fn read_theirs(message: &liboscore::ProtectedMessage) -> Content {
    Content {
        code: message.code(),
        options: message
            .options()
            .map(|o| (o.number(), o.value().to_vec()))
            .collect(),
        payload: message.payload().to_vec(),
    }
}

pub(crate) fn write_theirs(message: &mut liboscore::ProtectedMessage, content: &Content) {
    message.set_code(content.code);
    for (number, value) in &content.options {
        message.add_option(*number, value).unwrap();
    }
    message.set_payload(&content.payload).unwrap();
}

/// Runs `with` on an outer message that liboscore reads or writes; returns it as a
/// datagram.
pub(crate) fn native<R>(
    outer: Option<&Message<'_>>,
    with: impl FnOnce(&mut inmemory_write::Message<'_>) -> R,
) -> (Vec<u8>, R) {
    let (mut code, mut buffer) = (0, [0; ROOM]);
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

/// Whether a response takes a Partial IV of its own: one that is not the first to
/// its request does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Nonce {
    OfTheRequest,
    OfItsOwn,
}

/// A request of this crate, read by liboscore; also what a response has to fit.
pub(crate) fn request_to_theirs(
    client: &mut SecurityContext,
    server: &mut PrimitiveContext,
    request: &Content,
) -> (protect::Sent, Correlation) {
    let mut out = [0; ROOM];
    let (length, sent) = client
        .protect_request(HEADER, Code(request.code), build(request), &mut out)
        .unwrap();
    let message = Message::parse(&out[..length]).unwrap();
    let (correlation, seen) = unprotect_theirs(server, &message).unwrap();
    assert_eq!(seen, *request);
    (sent, correlation)
}

/// What liboscore makes of a request.
pub(crate) fn unprotect_theirs(
    server: &mut PrimitiveContext,
    message: &Message<'_>,
) -> Result<(Correlation, Content), UnprotectRequestError> {
    let option = message.option(9).unwrap().to_vec();
    let (_, read) = native(Some(message), |native| {
        let option = OscoreOption::parse(&option).unwrap();
        liboscore::unprotect_request(native, option, server, read_theirs)
    });
    read
}

/// One exchange, client ours and server theirs.
pub(crate) fn our_client(
    client: &mut SecurityContext,
    server: &mut PrimitiveContext,
    request: &Content,
    response: &Content,
    nonce: Nonce,
) {
    let (sent, mut correlation) = request_to_theirs(client, server, request);
    let mut respond = || {
        let (datagram, ()) = native(None, |native| {
            liboscore::protect_response(native, server, &mut correlation, |message| {
                write_theirs(message, response);
            })
            .unwrap();
        });
        datagram
    };
    let mut datagram = respond();
    if nonce == Nonce::OfItsOwn {
        datagram = respond();
    }
    let reply = Message::parse(&datagram).unwrap();
    let option = protect::OscoreOption::of(&reply).unwrap();
    assert_eq!(option.partial_iv.is_some(), nonce == Nonce::OfItsOwn);
    let mut scratch = [0; ROOM];
    let inner = client
        .unprotect_response(&sent, &reply, &mut scratch)
        .unwrap();
    assert_eq!(read_ours(&inner), *response);
}

/// One exchange, client theirs and server ours.
pub(crate) fn our_server(
    client: &mut PrimitiveContext,
    server: &mut SecurityContext,
    request: &Content,
    response: &Content,
    nonce: Nonce,
) {
    let (datagram, mut correlation) = native(None, |native| {
        liboscore::protect_request(native, client, |message| write_theirs(message, request))
            .unwrap()
            .0
    });
    let message = Message::parse(&datagram).unwrap();
    let option = protect::OscoreOption::of(&message).unwrap();
    let mut scratch = [0; ROOM];
    let (inner, binding) = server
        .unprotect_request(&option, message.payload, &mut scratch)
        .unwrap();
    assert_eq!(read_ours(&inner), *request);
    let (mut out, code) = ([0; ROOM], Code(response.code));
    let (mut length, answered) = server
        .protect_response(binding, HEADER, code, build(response), &mut out)
        .unwrap();
    if nonce == Nonce::OfItsOwn {
        length = server
            .protect_further_response(&answered, HEADER, code, build(response), &mut out)
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

/// The options of class E that liboscore knows, and how long values may be.
pub(crate) const OPTIONS: [(u16, usize); 16] = [
    (1, 8),    // If-Match
    (4, 8),    // ETag
    (5, 0),    // If-None-Match
    (8, 255),  // Location-Path
    (11, 255), // Uri-Path
    (12, 2),   // Content-Format
    (14, 4),   // Max-Age
    (15, 255), // Uri-Query
    (17, 2),   // Accept
    (20, 255), // Location-Query
    (23, 3),   // Block2
    (27, 3),   // Block1
    (28, 4),   // Size2
    (60, 4),   // Size1
    (252, 40), // Echo
    (258, 1),  // No-Response
];
