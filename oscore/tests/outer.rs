//! What stands around a protected request, outside of the protection.

mod common;

use common::{Client, Device, address, identity};
use sealift_oscore::coap::{BlockOption, Code, Message, Writer, number};
use sealift_oscore::{Error, MAX_DATAGRAM};

fn established() -> (Device, Client) {
    let a = identity(1, "alice");
    let mut device = Device::new(&[a.credential().clone()]);
    let client = Client::connect(&a, &mut device, address(1), 3);
    (device, client)
}

/// A protected request with one more outer option and this much of its
/// ciphertext.
fn changed(request: &[u8], option: u16, value: &[u8], part: &[u8]) -> Vec<u8> {
    let message = Message::parse(request).unwrap();
    let mut options: Vec<_> = message
        .options
        .clone()
        .map(|o| (o.number, o.value))
        .collect();
    options.push((option, value));
    options.sort_by_key(|(number, _)| *number);
    let mut out = [0; MAX_DATAGRAM];
    let mut writer = Writer::message(&mut out, message.header(), message.code).unwrap();
    for (number, value) in options {
        writer.option(number, value).unwrap();
    }
    writer.payload(part).unwrap();
    let length = writer.finish();
    out[..length].to_vec()
}

/// The value of a block option.
fn block(num: u32, more: bool) -> Vec<u8> {
    let mut out = [0; 8];
    let block = BlockOption { num, more, szx: 0 };
    let mut writer = Writer::inner(&mut out, Code::GET).unwrap();
    writer.block(1, block).unwrap();
    let length = writer.finish();
    out[2..length].to_vec()
}

#[test]
fn a_part_of_a_ciphertext_is_refused_as_too_large() {
    let (mut device, mut client) = established();
    let (request, sent) = client.request(b"sixteen bytes and then some more");
    let whole = Message::parse(&request).unwrap().payload.to_vec();
    for (num, more, part) in [(0, true, &whole[..16]), (1, false, &whole[16..])] {
        let datagram = changed(&request, number::BLOCK1, &block(num, more), part);
        let outcome = device.take(client.from, &datagram);
        assert_eq!(outcome.code(), Code::TOO_LARGE);
        assert_eq!(device.server.last_error(), Some(Error::OuterBlock));
    }
    // One block that is the whole is no part, and the session has lost nothing.
    let datagram = changed(&request, number::BLOCK1, &block(0, false), &whole);
    let outcome = device.take(client.from, &datagram);
    assert!(outcome.is_request());
    assert!(client.read(&sent, outcome.reply()).ends_with(b"some more"));
}

#[test]
fn outer_options_that_belong_inside_are_ignored() {
    let (mut device, mut client) = established();
    for (option, value) in [
        (number::IF_MATCH, &b"etag"[..]),
        (number::URI_HOST, b"device.example"),
        (number::URI_PORT, b"\x16\x33"),
        (number::URI_PATH, b"elsewhere"),
        (number::BLOCK1, b"four"),
        (number::BLOCK2, b"\x1e"),
        (9999, b"critical"),
        (9998, b"elective"),
    ] {
        let (request, sent) = client.request(b"inside");
        let whole = Message::parse(&request).unwrap().payload;
        let datagram = changed(&request, option, value, whole);
        let outcome = device.take(client.from, &datagram);
        assert!(outcome.is_request(), "{option}");
        assert!(client.read(&sent, outcome.reply()).ends_with(b"inside"));
    }
}
