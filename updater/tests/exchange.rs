//! The message layer with a virtual clock: loss, duplicates, separate
//! responses, reset, giving up.

use std::time::Duration;

use rand_core::{Error, RngCore};
use sealift_oscore::coap::{Code, Header, Writer};
use updater::exchange::{Endpoint, Failure, Params, Step, TOKEN_LEN};

const GET: u8 = 0x01;
const CONTENT: u8 = 0x45;
const CON: u8 = 0x40;
const NON: u8 = 0x50;
const ACK: u8 = 0x60;
const RST: u8 = 0x70;

/// A generator with a seed; not secure, and need not be.
struct Seeded(u64);

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        u32::try_from(self.next_u64() >> 32).unwrap()
    }
    fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for byte in dest {
            *byte = self.next_u32().to_be_bytes()[0];
        }
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// GET with a path of one segment, "a".
fn get(header: Header<'_>) -> Result<Vec<u8>, sealift_oscore::coap::Error> {
    let mut buffer = [0; 64];
    let mut writer = Writer::message(&mut buffer, header, Code::GET)?;
    writer.uri_path("a")?;
    Ok(writer.as_bytes().to_vec())
}

/// Hands a datagram over; every response is authentic.
fn take(endpoint: &mut Endpoint<Seeded>, now: Duration, datagram: &[u8]) {
    endpoint.handle_datagram(now, datagram, |_| true);
}

/// An endpoint that has sent its request at time 0, and that request.
fn started(params: Params, seed: u64) -> (Endpoint<Seeded>, Vec<u8>) {
    let mut endpoint = Endpoint::new(params, Seeded(seed));
    assert_eq!(endpoint.poll(at(0)), Step::Idle);
    endpoint.start(at(0), get).unwrap();
    let Step::Send(request) = endpoint.poll(at(0)) else {
        panic!("nothing to send")
    };
    (endpoint, request)
}

fn mid(datagram: &[u8]) -> [u8; 2] {
    [datagram[2], datagram[3]]
}

fn token(datagram: &[u8]) -> &[u8] {
    &datagram[4..4 + TOKEN_LEN]
}

/// A response with the request's token.
fn response(kind: u8, mid: [u8; 2], request: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut out = vec![kind | 8, CONTENT, mid[0], mid[1]];
    out.extend_from_slice(token(request));
    out.extend_from_slice(rest);
    out
}

fn empty(kind: u8, mid: [u8; 2]) -> Vec<u8> {
    vec![kind, 0, mid[0], mid[1]]
}

fn done(datagram: &[u8]) -> Step {
    Step::Done(Ok(datagram.to_vec()))
}

#[test]
fn a_request_is_confirmable_with_a_full_token() {
    let (_, request) = started(Params::default(), 1);
    assert_eq!(request[0], CON | 8);
    assert_eq!(request[1], GET);
    assert_eq!(&request[4 + TOKEN_LEN..], b"\xb1a");
}

#[test]
fn a_piggybacked_response_ends_the_exchange() {
    let (mut endpoint, request) = started(Params::default(), 2);
    let theirs = response(ACK, mid(&request), &request, b"\xffhi");
    take(&mut endpoint, at(5), &theirs);
    assert_eq!(endpoint.poll(at(5)), done(&theirs));
    assert_eq!(endpoint.poll(at(5)), Step::Idle);
}

#[test]
fn a_lost_request_is_sent_again_unchanged_with_doubled_intervals() {
    for seed in 1..50 {
        let (mut endpoint, request) = started(Params::default(), seed);
        let mut times = vec![at(0)];
        let mut now = at(0);
        let end = loop {
            match endpoint.poll(now) {
                Step::Wait(until) => {
                    assert!(until > now);
                    now = until;
                }
                Step::Send(datagram) => {
                    assert_eq!(datagram, request);
                    times.push(now);
                }
                other => break other,
            }
        };
        assert_eq!(end, Step::Done(Err(Failure::GaveUp { tries: 5 })));
        assert_eq!(times.len(), 5);
        let first = times[1];
        assert!(first >= at(2000) && first <= at(3000), "{first:?}");
        for (i, pair) in times.windows(2).enumerate() {
            assert_eq!(
                pair[1] - pair[0],
                first * 2_u32.pow(u32::try_from(i).unwrap())
            );
        }
        assert_eq!(now, first * 31);
        // MAX_TRANSMIT_WAIT.
        assert!(now <= at(93_000));
    }
}

/// The times at which a request is sent that is started at `now` and never
/// answered, and when it is given up.
fn unanswered(endpoint: &mut Endpoint<Seeded>, mut now: Duration) -> (Vec<Duration>, Duration) {
    endpoint.start(now, get).unwrap();
    let mut times = Vec::new();
    loop {
        match endpoint.poll(now) {
            Step::Wait(until) => {
                assert!(until > now);
                now = until;
            }
            Step::Send(_) => times.push(now),
            _ => return (times, now),
        }
    }
}

#[test]
fn a_quick_link_is_not_waited_for_and_has_its_time_all_the_same() {
    for seed in 1..50 {
        let params = Params::default();
        let (mut endpoint, request) = started(params, seed);
        let theirs = response(ACK, mid(&request), &request, b"");
        take(&mut endpoint, at(20), &theirs);
        assert_eq!(endpoint.poll(at(20)), done(&theirs));
        let start = at(1000);
        let (times, end) = unanswered(&mut endpoint, start);
        let first = times[1] - times[0];
        assert!(first >= at(200) && first <= at(300), "{first:?}");
        let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for pair in waits.windows(2) {
            assert_eq!(pair[1], pair[0] * 2);
        }
        // As long as any exchange, and the last transmission has its time too.
        let patience = end - start;
        assert!(
            patience >= at(62_000) && patience <= at(93_000),
            "{patience:?}"
        );
        assert!(end - *times.last().unwrap() >= first);
        assert_eq!(times.len(), 9);

        // But where that is switched off, the wait is that of the book.
        let fixed = Params {
            adaptive: false,
            ..params
        };
        let (mut endpoint, request) = started(fixed, seed);
        let theirs = response(ACK, mid(&request), &request, b"");
        take(&mut endpoint, at(20), &theirs);
        endpoint.poll(at(20));
        let (times, _) = unanswered(&mut endpoint, start);
        assert_eq!(times.len(), 5);
        assert!(times[1] - times[0] >= at(2000));
    }
}

#[test]
fn a_slow_link_is_waited_for_and_has_its_retransmissions() {
    let (mut endpoint, request) = started(Params::default(), 3);
    // The first transmission was answered, after 20 s: nobody knows that.
    while !matches!(endpoint.poll(at(20_000)), Step::Wait(_)) {}
    let theirs = response(ACK, mid(&request), &request, b"");
    take(&mut endpoint, at(20_000), &theirs);
    assert_eq!(endpoint.poll(at(20_000)), done(&theirs));
    let (times, end) = unanswered(&mut endpoint, at(21_000));
    // Three quarters of 2 s and a quarter of the most, 8 s.
    let first = times[1] - times[0];
    assert!(first >= at(3500) && first <= at(5250), "{first:?}");
    assert_eq!(times.len(), 5);
    assert_eq!(end - at(21_000), first * 31);
}

#[test]
fn a_response_that_overtakes_its_acknowledgement_is_no_measurement() {
    let (mut endpoint, request) = started(Params::default(), 4);
    take(&mut endpoint, at(10), &response(CON, [1, 2], &request, b""));
    while !matches!(endpoint.poll(at(10)), Step::Done(_)) {}
    let (times, _) = unanswered(&mut endpoint, at(20));
    assert!(times[1] - times[0] >= at(1500));
}

#[test]
fn a_response_to_a_retransmission_counts() {
    let (mut endpoint, request) = started(Params::default(), 3);
    assert!(matches!(endpoint.poll(at(3000)), Step::Send(again) if again == request));
    let theirs = response(ACK, mid(&request), &request, b"");
    take(&mut endpoint, at(3010), &theirs);
    assert_eq!(endpoint.poll(at(3010)), done(&theirs));
}

#[test]
fn no_retransmission_is_a_legal_setting() {
    let params = Params {
        ack_timeout: at(100),
        max_retransmit: 0,
        adaptive: true,
    };
    let (mut endpoint, _) = started(params, 4);
    assert_eq!(
        endpoint.poll(at(151)),
        Step::Done(Err(Failure::GaveUp { tries: 1 }))
    );
    // Also where there would be time for some.
    let params = Params {
        ack_timeout: at(2000),
        ..params
    };
    let (mut endpoint, request) = started(params, 4);
    take(
        &mut endpoint,
        at(1),
        &response(ACK, mid(&request), &request, b""),
    );
    assert!(matches!(endpoint.poll(at(1)), Step::Done(Ok(_))));
    let (times, _) = unanswered(&mut endpoint, at(2));
    assert_eq!(times, [at(2)]);
}

#[test]
fn a_separate_response_is_awaited_and_acknowledged() {
    let (mut endpoint, request) = started(Params::default(), 5);
    take(&mut endpoint, at(10), &empty(ACK, mid(&request)));
    // No retransmission any more.
    assert!(matches!(endpoint.poll(at(20_000)), Step::Wait(until) if until > at(90_000)));
    let theirs = response(CON, [0xaa, 0xbb], &request, b"\xffok");
    take(&mut endpoint, at(20_000), &theirs);
    assert_eq!(
        endpoint.poll(at(20_000)),
        Step::Send(empty(ACK, [0xaa, 0xbb]))
    );
    assert_eq!(endpoint.poll(at(20_000)), done(&theirs));

    // Our ACK was lost: the duplicate is acknowledged again, also while
    // another exchange is under way, and it is not that one's response.
    endpoint.start(at(21_000), get).unwrap();
    assert!(matches!(endpoint.poll(at(21_000)), Step::Send(_)));
    take(&mut endpoint, at(21_100), &theirs);
    assert_eq!(
        endpoint.poll(at(21_100)),
        Step::Send(empty(ACK, [0xaa, 0xbb]))
    );
    assert!(matches!(endpoint.poll(at(21_100)), Step::Wait(_)));
}

#[test]
fn a_separate_response_may_overtake_the_acknowledgement() {
    for kind in [CON, NON] {
        let (mut endpoint, request) = started(Params::default(), 6);
        let theirs = response(kind, [1, 2], &request, b"");
        take(&mut endpoint, at(10), &theirs);
        if kind == CON {
            assert_eq!(endpoint.poll(at(10)), Step::Send(empty(ACK, [1, 2])));
        }
        assert_eq!(endpoint.poll(at(10)), done(&theirs));
        take(&mut endpoint, at(11), &empty(ACK, mid(&request)));
        assert_eq!(endpoint.poll(at(11)), Step::Idle);
    }
}

#[test]
fn an_acknowledged_request_that_is_never_answered_ends() {
    let (mut endpoint, request) = started(Params::default(), 7);
    take(&mut endpoint, at(10), &empty(ACK, mid(&request)));
    let Step::Wait(until) = endpoint.poll(at(10)) else {
        panic!("it must wait")
    };
    // A second ACK does not make it wait longer.
    take(&mut endpoint, at(5000), &empty(ACK, mid(&request)));
    assert_eq!(endpoint.poll(at(5000)), Step::Wait(until));
    assert_eq!(endpoint.poll(until), Step::Done(Err(Failure::NoResponse)));
}

#[test]
fn a_separate_response_has_its_time_whatever_the_link() {
    // The default is MAX_TRANSMIT_WAIT; of an impatient client it is no less, as a
    // device may work for a minute; a patient one waits longer.
    for (ack_timeout, max_retransmit, wait) in [
        (2000, 4, 93_000),
        (2000, 1, 93_000),
        (10, 0, 93_000),
        (4000, 4, 186_000),
    ] {
        let params = Params {
            ack_timeout: at(ack_timeout),
            max_retransmit,
            adaptive: true,
        };
        let (mut endpoint, request) = started(params, 14);
        take(&mut endpoint, at(5), &empty(ACK, mid(&request)));
        assert_eq!(endpoint.poll(at(5)), Step::Wait(at(5 + wait)));
        let theirs = response(CON, [1, 2], &request, b"\xffat last");
        take(&mut endpoint, at(60_000), &theirs);
        assert_eq!(endpoint.poll(at(60_000)), Step::Send(empty(ACK, [1, 2])));
        assert_eq!(endpoint.poll(at(60_000)), done(&theirs));
    }
}

#[test]
fn a_reset_ends_the_exchange() {
    let (mut endpoint, request) = started(Params::default(), 8);
    take(&mut endpoint, at(10), &empty(RST, mid(&request)));
    assert_eq!(endpoint.poll(at(10)), Step::Done(Err(Failure::Reset)));
}

#[test]
fn a_duplicate_response_changes_nothing() {
    let (mut endpoint, request) = started(Params::default(), 9);
    let theirs = response(ACK, mid(&request), &request, b"\xff1");
    take(&mut endpoint, at(1), &theirs);
    take(
        &mut endpoint,
        at(2),
        &response(ACK, mid(&request), &request, b"\xff2"),
    );
    take(&mut endpoint, at(3), &empty(RST, mid(&request)));
    assert_eq!(endpoint.poll(at(3)), done(&theirs));
    take(
        &mut endpoint,
        at(4),
        &response(ACK, mid(&request), &request, b"\xff1"),
    );
    assert_eq!(endpoint.poll(at(4)), Step::Idle);
}

#[test]
fn what_does_not_belong_to_the_exchange_does_not_end_it() {
    let (mut endpoint, request) = started(Params::default(), 10);
    let other_mid = [request[2] ^ 1, request[3]];
    let mut other_token = response(ACK, mid(&request), &request, b"");
    other_token[4] ^= 1;
    let mut a_request = response(ACK, mid(&request), &request, b"");
    a_request[1] = GET;
    let mut version_2 = response(ACK, mid(&request), &request, b"");
    version_2[0] ^= 0xc0;
    let mut long_token = response(ACK, mid(&request), &request, b"aaaaaaaa");
    long_token[0] = ACK | 9;
    for datagram in [
        response(ACK, other_mid, &request, b""),
        other_token,
        a_request,
        version_2,
        long_token,
        empty(RST, other_mid),
        empty(ACK, other_mid),
        request[..3].to_vec(),
        Vec::new(),
    ] {
        take(&mut endpoint, at(1), &datagram);
        assert!(
            matches!(endpoint.poll(at(1)), Step::Wait(until) if until < at(3001)),
            "{datagram:02x?}"
        );
    }
}

#[test]
fn strange_confirmable_messages_are_rejected_and_others_ignored() {
    let (mut endpoint, request) = started(Params::default(), 11);
    // A ping (4.3), a request, and a response to somebody else.
    let mut stranger = response(CON, [3, 3], &request, b"");
    stranger[5] ^= 1;
    let mut their_request = response(CON, [3, 4], &request, b"");
    their_request[1] = GET;
    for (datagram, id) in [
        (empty(CON, [3, 2]), [3, 2]),
        (stranger.clone(), [3, 3]),
        (their_request, [3, 4]),
    ] {
        take(&mut endpoint, at(1), &datagram);
        assert_eq!(endpoint.poll(at(1)), Step::Send(empty(RST, id)));
        assert!(matches!(endpoint.poll(at(1)), Step::Wait(_)));
    }
    stranger[0] = NON | 8;
    take(&mut endpoint, at(1), &stranger);
    assert!(matches!(endpoint.poll(at(1)), Step::Wait(_)));
}

#[test]
fn tokens_differ_and_message_ids_count_up() {
    let (mut endpoint, first) = started(Params::default(), 12);
    endpoint.start(at(1), get).unwrap();
    let Step::Send(second) = endpoint.poll(at(1)) else {
        panic!("nothing to send")
    };
    assert_ne!(token(&first), token(&second));
    assert_eq!(
        u16::from_be_bytes(mid(&second)),
        u16::from_be_bytes(mid(&first)).wrapping_add(1)
    );
    // The abandoned exchange's response is nobody's.
    take(
        &mut endpoint,
        at(2),
        &response(ACK, mid(&first), &first, b""),
    );
    assert!(matches!(endpoint.poll(at(2)), Step::Wait(_)));
}

#[test]
fn a_response_that_is_not_authentic_is_as_good_as_none() {
    for kind in [ACK, CON] {
        let (mut endpoint, request) = started(Params::default(), 13);
        let forged = response(kind, mid(&request), &request, b"\xffforged");
        endpoint.handle_datagram(at(1), &forged, |message| {
            assert_eq!(message.payload, b"forged");
            false
        });
        assert!(matches!(endpoint.poll(at(1)), Step::Wait(_)));
        let genuine = response(ACK, mid(&request), &request, b"\xffgenuine");
        take(&mut endpoint, at(2), &genuine);
        assert_eq!(endpoint.poll(at(2)), done(&genuine));
    }
}
