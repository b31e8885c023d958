//! A device in use, and whether it still is after an attack.
//!
//! # What a hostile peer can send
//!
//! Each line is a kind of datagrams, and the tests that send them to the device
//! process. Every one of these tests ends with [`Scene::ends`]: afterwards the
//! device answers, the sessions and the transfer of others go on, and the memory of
//! the process has not grown by more than [`GROWTH`].
//!
//! | what | in | test |
//! |---|---|---|
//! | the defects of published crates, A to F | `hostile_published` | one for each, by its letter |
//! | message_1 from many addresses | `hostile_floods` | `a_flood_of_message_1_from_many_addresses_ends_no_session`, `a_newcomer_gets_in_during_a_flood` |
//! | a stranger's credential by value | `hostile_floods` | `a_stranger_with_a_credential_by_value_gets_no_session_however_often_it_tries` |
//! | garbage for message_3 | `hostile_floods` | `garbage_for_message_3_ends_no_key_exchange` |
//! | wrong key identifiers, forged sequence numbers | `hostile_floods` | `wrong_key_identifiers_in_any_number_are_refused` |
//! | datagrams of any length and filling | `hostile_floods` | `datagrams_of_any_length_are_survived` |
//! | many sessions of one peer | `hostile_floods` | `sessions_of_others_are_not_pushed_out_by_one_peer_that_makes_many` |
//! | replays | `hostile_requests` | `a_replay_is_not_done_again` |
//! | requests in another order | `hostile_requests` | `requests_in_any_order_are_each_done_once` |
//! | requests cut at every length | `hostile_requests` | `a_request_cut_at_any_length_is_refused` |
//! | requests with every single bit flipped | `hostile_requests` | `a_request_with_any_protected_bit_flipped_is_refused`, `a_request_with_a_flipped_bit_in_its_head_is_done_at_most_once` |
//! | oversized and repeated options | `hostile_requests` | `oversized_and_repeated_options_are_refused_or_passed_over` |
//! | option numbers out of order | `hostile_requests` | `option_numbers_that_go_beyond_the_end_are_refused_inside_and_ignored_outside` |
//! | unknown options, critical and elective | `hostile_published`, `hostile_requests` | inside: `c_an_unknown_inner_option_hangs_nothing`; outside: `unknown_options_outside_are_not_taken_for_anything` |
//! | a request from another address | `hostile_requests` | `a_request_from_another_address_is_answered_there_and_takes_nothing_along` |
//! | forged ACK and RST, pings | `hostile_requests` | `acknowledgements_resets_and_pings_of_anybody_change_nothing`, `a_forged_acknowledgement_does_not_stop_a_separate_answer` |
//! | blocks of changing size | `hostile_blocks` | `blocks_of_changing_size_and_blocks_again_come_to_the_same_end` |
//! | blocks with gaps, numbers up to 2^20 - 1 | `hostile_blocks` | `gaps_in_the_own_transfer_are_refused_and_it_goes_on`, `block_numbers_up_to_the_highest_leave_a_gap_and_are_refused` |
//! | more blocks for ever | `hostile_blocks` | `a_body_without_end_is_refused_when_it_is_too_long`, `bodies_that_are_begun_in_any_number_are_not_all_kept` |
//! | two peers that send to the same component | `hostile_blocks` | `a_second_deployer_does_not_take_over_a_transfer_that_goes_on`, `the_newer_envelope_of_a_peer_takes_the_place_of_its_older_one` |
//!
//! Every short inner message, every option number, every header and every flipped bit
//! are tried on the same device in memory, in `firmware/core/tests/device/exhaustive.rs`;
//! power cuts, in `device_nonces.rs` there. What belongs to the server alone, random
//! datagrams among it, is in `oscore/tests/hostile.rs` and `replay.rs`.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use sealift_oscore::coap::{BlockOption, Code, Message, Writer, number};
use sealift_oscore::protect::Sent;
use sealift_wire::ComponentStatus;
use testbed::{Answer, Device, Memory, RawPeer, Sign, Workshop};

pub(crate) const VM1: &str = "/vm-control/vm1";
/// By how much the device's memory may grow in an attack of any length, in bytes:
/// a leak of 16 bytes a datagram is found after 20,000.
pub(crate) const GROWTH: u64 = 256 * 1024;
/// Datagrams that are sent before all of them are waited for: no more than fit into
/// the buffer of the device's socket.
const AT_A_TIME: usize = 32;
/// Blocks of the update that are there before an attack.
const SENT: u32 = 8;

/// A device that runs version 1 of the thermometer, in the middle of an update to
/// version 2; who is sending it, and who uses the capsule. Both have a session
/// that they keep: nothing here shakes hands a second time. `second` is the
/// credential of another deployer.
pub(crate) struct Scene {
    pub(crate) workshop: Workshop,
    pub(crate) device: Device,
    pub(crate) user: RawPeer,
    pub(crate) deployer: RawPeer,
    /// The envelope that is on its way, and the block that comes next.
    pub(crate) update: Vec<u8>,
    pub(crate) next: u32,
    before: Memory,
    /// By how much the device may have grown.
    pub(crate) growth: u64,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let workshop = Workshop::furnished().unwrap();
        let sign = |name: &str, sign: Sign<'_>| {
            workshop.sign(name, &sign).unwrap().success().unwrap();
            std::fs::read(workshop.path(name)).unwrap()
        };
        let installed = sign("v1.suit", Sign::default());
        // Blocks enough for the longest scene.
        workshop.enlarge("thermometer-v2", "update", 4000).unwrap();
        let update = Sign {
            capsule: "update",
            sequence: 2,
            ..Sign::default()
        };
        let update = sign("v2.suit", update);
        workshop.credential("second").unwrap();
        let second = ("deploy".to_owned(), workshop.path("second.pub"));
        let device = workshop.device_with(|options| options.allow.push(second));
        let device = device.unwrap();

        let mut deployer = RawPeer::new(&workshop, &device, "op").unwrap();
        deployer.connect().unwrap();
        let answer = deployer.put(VM1, &installed, 0).unwrap();
        assert_eq!(answer.code, Code::CHANGED, "{}", answer.text());
        let confirm = format!("{VM1}/confirm");
        let answer = deployer.request(Code::POST, &confirm, None, &[]).unwrap();
        assert_eq!(answer.code, Code::CHANGED, "{}", answer.text());
        let mut user = RawPeer::new(&workshop, &device, "app").unwrap();
        user.connect().unwrap();

        let before = device.memory().unwrap();
        let mut scene = Self {
            workshop,
            device,
            user,
            deployer,
            update,
            next: 0,
            before,
            growth: GROWTH,
        };
        for _ in 0..SENT {
            scene.goes_on();
        }
        scene.stands();
        scene.before = scene.device.memory().unwrap();
        scene
    }

    /// Somebody else with this credential, and a session.
    pub(crate) fn insider(&self, name: &str) -> RawPeer {
        let mut peer = self.outsider(name);
        peer.connect().unwrap();
        peer
    }

    /// Somebody with this credential, without a session.
    pub(crate) fn outsider(&self, name: &str) -> RawPeer {
        RawPeer::new(&self.workshop, &self.device, name).unwrap()
    }

    /// A socket at this address.
    pub(crate) fn socket(&self, from: impl Into<SocketAddr>) -> UdpSocket {
        let socket = UdpSocket::bind(from.into()).unwrap();
        socket.connect(self.device.address()).unwrap();
        socket
    }

    /// The next block of the update.
    pub(crate) fn goes_on(&mut self) {
        let block = (self.next, 6);
        let answer = self.deployer.piece(Code::PUT, VM1, block, &self.update);
        let answer = answer.unwrap();
        assert_eq!(answer.code, Code::CONTINUE, "{}", answer.text());
        self.next += 1;
    }

    /// A request with the next block of the update, which is not sent.
    pub(crate) fn next_block(&mut self) -> (Vec<u8>, Sent) {
        let at = usize::try_from(self.next).unwrap();
        let part = self.update.chunks(1024).nth(at).unwrap().to_vec();
        let block = BlockOption {
            num: self.next,
            more: true,
            szx: 6,
        };
        let build = |writer: &mut Writer<'_>| {
            writer.uri_path(VM1)?;
            writer.block(number::BLOCK1, block)?;
            writer.payload(&part)
        };
        self.deployer.protect(Code::PUT, build).unwrap()
    }

    /// What the device says of its component.
    pub(crate) fn status(&mut self) -> ComponentStatus {
        let answer = self.deployer.request(Code::GET, VM1, None, &[]).unwrap();
        ComponentStatus::from_cbor(&answer.payload).unwrap()
    }

    /// Bytes of the update that the device has, as it says.
    pub(crate) fn received(&mut self) -> u32 {
        self.status().transfer.expect("an open transfer").received
    }

    /// What the capsule says of its version.
    pub(crate) fn version(&mut self) -> Answer {
        let path = "/vm1/version";
        self.user.request(Code::GET, path, None, &[]).unwrap()
    }

    /// Asserts that nobody has lost anything: the device answers, the sessions are
    /// the same, the update goes on at the byte where it was, and the device has
    /// not grown.
    #[track_caller]
    pub(crate) fn stands(&mut self) {
        assert!(self.device.alive(), "{}", self.device.log());
        self.user.settle().unwrap();
        assert_eq!(self.version().text(), "1");
        let received = self.received();
        self.goes_on();
        assert_eq!(self.received(), received + 1024);
        let now = self.device.memory().unwrap();
        for (now, before) in [
            (now.resident, self.before.resident),
            (now.peak, self.before.peak),
        ] {
            assert!(now <= before + self.growth, "{now} bytes, {before} before");
        }
    }

    /// The same, and then the update comes to its end.
    #[track_caller]
    pub(crate) fn ends(mut self) {
        self.finish();
    }

    /// As [`Scene::ends`], for somebody who goes on.
    #[track_caller]
    pub(crate) fn finish(&mut self) {
        self.stands();
        let answer = self.deployer.put(VM1, &self.update, self.next).unwrap();
        assert_eq!(answer.code, Code::CHANGED, "{}", answer.text());
        assert_eq!(self.version().text(), "2");
        assert!(!self.device.log().contains("panicked"));
    }
}

/// Sends `count` datagrams that `make` makes, some at a time, and hands `check` all
/// that comes back. Says how much came back.
pub(crate) fn storm(
    from: &mut RawPeer,
    count: u32,
    mut make: impl FnMut(&mut RawPeer, u32) -> Vec<u8>,
    mut check: impl FnMut(&[u8]),
) -> u32 {
    let mut answers = 0;
    for start in (0..count).step_by(AT_A_TIME) {
        for n in (start..count).take(AT_A_TIME) {
            let datagram = make(from, n);
            from.send(&datagram).unwrap();
        }
        for answer in from.settle().unwrap() {
            answers += 1;
            check(&answer);
        }
    }
    answers
}

/// The code of a message.
pub(crate) fn code(datagram: &[u8]) -> Code {
    Message::parse(datagram).unwrap().code
}

/// A CoAP message, with these bytes for options and payload.
pub(crate) fn datagram(first: u8, code: Code, mid: u16, rest: &[u8]) -> Vec<u8> {
    let [high, low] = mid.to_be_bytes();
    [&[first, code.0, high, low], rest].concat()
}

/// One of 16 million addresses of this machine.
pub(crate) fn address(n: u32) -> Ipv4Addr {
    let [_, a, b, c] = n.to_be_bytes();
    Ipv4Addr::new(127, a, b, c)
}
