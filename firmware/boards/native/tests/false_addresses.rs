//! Datagrams from addresses that nobody has, on a device's own network: what it sends
//! there never leaves, and holds nobody else up.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use testbed::Workshop;

const PATIENCE: Duration = Duration::from_secs(20);

/// What the boards are told that they are (`ADDRESS` in each).
const DEVICE: [u8; 4] = [10, 0, 2, 15];
const ME: [u8; 4] = [10, 0, 2, 9];
const MY_MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
const EVERYBODY: [u8; 6] = [0xff; 6];
/// More than wait at a time.
const NOBODY: std::ops::Range<u8> = 100..112;

const IPV4: [u8; 2] = [0x08, 0x00];
const ARP: [u8; 2] = [0x08, 0x06];
/// CoAP's port, of both ends.
const PORT: [u8; 2] = [0x16, 0x33];
const PING: [u8; 4] = [0x40, 0, 0x12, 0x34];
const RESET: [u8; 4] = [0x70, 0, 0x12, 0x34];

#[test]
#[ignore = "for boards with a network of their own, which SEALIFT_BOARD names"]
fn answers_that_nobody_takes_hold_nothing_up() {
    let wire = UdpSocket::bind("127.0.0.1:0").unwrap();
    let end = wire.local_addr().unwrap().to_string();
    let workshop = Workshop::furnished().unwrap();
    let device = workshop
        .device_with(|options| options.wire = Some(end))
        .unwrap();
    wire.connect(device.address()).unwrap();
    wire.set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();

    // It learns where I am, as from anybody who looks for it.
    wire.send(&who_is(DEVICE)).unwrap();
    for last in NOBODY {
        wire.send(&ping([10, 0, 2, last])).unwrap();
    }
    let started = Instant::now();
    let mut frame = [0; 2048];
    loop {
        assert!(started.elapsed() < PATIENCE, "{}", device.log());
        wire.send(&ping(ME)).unwrap();
        let Ok(length) = wire.recv(&mut frame) else {
            continue;
        };
        if frame[..length].ends_with(&RESET) && frame[..6] == MY_MAC {
            break;
        }
    }
    let log = device.log();
    assert_eq!(log.matches("listening on ").count(), 1, "{log}");
    assert!(log.contains("dropped"), "it had none to drop: {log}");
}

fn frame(kind: [u8; 2], content: &[u8]) -> Vec<u8> {
    [&EVERYBODY[..], &MY_MAC, &kind, content].concat()
}

/// A question of address resolution (RFC 826).
fn who_is(address: [u8; 4]) -> Vec<u8> {
    let kind = [0, 1, IPV4[0], IPV4[1], 6, 4, 0, 1];
    frame(ARP, &[&kind[..], &MY_MAC, &ME, &[0; 6], &address].concat())
}

/// A CoAP ping (RFC 7252, 4.3), in UDP without a checksum.
fn ping(from: [u8; 4]) -> Vec<u8> {
    let udp = [&PORT[..], &PORT, &[0, 12, 0, 0], &PING].concat();
    let length = 20 + u8::try_from(udp.len()).unwrap();
    let mut ip = vec![0x45, 0, 0, length, 0, 0, 0, 0, 64, 17, 0, 0];
    ip.extend(from);
    ip.extend(DEVICE);
    let sum: u32 = ip
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let check = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    ip[10..12].copy_from_slice(&check.to_be_bytes());
    frame(IPV4, &[ip, udp].concat())
}
