//! Our OSCORE and liboscore in lockstep: both make the same bytes of the same
//! messages, and both take or refuse the same bytes, genuine, damaged or again.
//!
//! liboscore leaves it to its caller to find out whose a message is: what is not
//! of the context at hand is not shown to it, and ours has to refuse it.

use liboscore::raw::oscore_requestid_t as Correlation;
use liboscore::{OscoreOption, PrimitiveContext};
use sealift_oscore::coap::{Code, Message, number};
use sealift_oscore::context::SecurityContext;
use sealift_oscore::protect::{self, Binding, Sent};

use crate::script::{MAX_STEPS, Script, Step, patch};
use crate::trace::Trace;

#[path = "../../../../oscore/tests/liboscore_common/mod.rs"]
#[allow(dead_code, reason = "the tests in oscore/ use more of it")]
mod common;

use common::{
    Content, HEADER, OPTIONS, build, native, ours, read_ours, read_theirs, theirs, write_theirs,
};

/// What each number of a step stands for.
pub(crate) const EXCHANGE: u8 = 0;
pub(crate) const AGAIN: u8 = 1;
pub(crate) const OPTION: u8 = 2;

/// What is damaged in an exchange: bits of the small number of a step.
pub(crate) const REQUEST_OPTION: u8 = 1;
pub(crate) const REQUEST_TEXT: u8 = 2;
pub(crate) const RESPONSE_OPTION: u8 = 4;
pub(crate) const RESPONSE_TEXT: u8 = 8;

/// The inner options that liboscore knows: at any other one it never returns.
pub(crate) fn options() -> impl Iterator<Item = u16> {
    OPTIONS.iter().map(|(number, _)| *number)
}

const METHODS: [u8; 7] = [1, 2, 3, 4, 5, 6, 7];
const ANSWERS: [u8; 8] = [65, 68, 69, 95, 129, 132, 160, 191];

// liboscore's replay window covers 32 numbers and ours 64. A script has no more,
// so that there is nothing to see of that.
const _: () = assert!(MAX_STEPS <= 32);

/// An OSCORE option and a ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sealed {
    option: Vec<u8>,
    text: Vec<u8>,
}

/// A client and a server, each of both kinds.
struct Lockstep {
    client: (SecurityContext, PrimitiveContext),
    server: (SecurityContext, PrimitiveContext),
    sent: Vec<Sealed>,
    trace: Trace,
}

pub(super) fn run(script: &Script) -> Trace {
    // Identifiers of 0 to 7 bytes.
    let id = |byte: u8, length: u8| vec![byte; usize::from(length & 7)];
    let (a, mut b) = (id(1, script.flags), id(2, script.flags >> 3));
    if a == b {
        b.push(2);
    }
    let mut both = Lockstep {
        client: (ours(&a, &b, None), theirs(&a, &b, None)),
        server: (ours(&b, &a, None), theirs(&b, &a, None)),
        sent: Vec::new(),
        trace: Trace::default(),
    };
    for step in &script.steps {
        both.act(step);
    }
    both.trace
}

impl Lockstep {
    fn act(&mut self, step: &Step) {
        match step.op % 3 {
            EXCHANGE => {
                let (patches, rest) = step.data.split_at(step.data.len().min(4));
                let mut rest = rest;
                let request = content(&mut rest, &METHODS);
                let response = content(&mut rest, &ANSWERS);
                self.exchange(step.arg, patches, &request, &response);
            }
            AGAIN => {
                let [which, patches @ ..] = &step.data[..] else {
                    return;
                };
                let earlier = self.sent.iter().rev().nth(usize::from(*which) % 40);
                if let Some(mut sealed) = earlier.cloned() {
                    patch(&mut sealed.option, patches);
                    drop(self.take(&sealed));
                }
            }
            _ => alike(&step.data),
        }
    }

    fn exchange(&mut self, damage: u8, patches: &[u8], request: &Content, response: &Content) {
        let (sealed, sent, mut correlation) = self.ask(request);
        self.sent.push(sealed.clone());
        let mut received = sealed.clone();
        damaged(&mut received.option, damage & REQUEST_OPTION, patches);
        damaged(&mut received.text, damage & REQUEST_TEXT, patches);
        let taken = self.take(&received);
        if received == sealed {
            let (content, ..) = taken.as_ref().expect("refused a genuine request");
            assert_eq!(content, request);
        }
        let Some((_, binding, their_binding)) = taken else {
            return;
        };
        self.trace.alike += 1;
        let answer = self.answer(binding, their_binding, response);
        let mut received = answer.clone();
        damaged(&mut received.option, damage & RESPONSE_OPTION, patches);
        damaged(&mut received.text, damage & RESPONSE_TEXT, patches);
        let read = self.read(&sent, &mut correlation, &received);
        if received == answer {
            assert_eq!(read.as_ref(), Some(response), "refused a genuine response");
            self.trace.alike += 1;
        }
    }

    /// Both clients make a request.
    fn ask(&mut self, content: &Content) -> (Sealed, Sent, Correlation) {
        let mut out = [0; 1300];
        let (length, sent) = self
            .client
            .0
            .protect_request(HEADER, Code(content.code), build(content), &mut out)
            .unwrap();
        let client = &mut self.client.1;
        let (other, correlation) = native(None, |native| {
            liboscore::protect_request(native, client, |message| write_theirs(message, content))
                .unwrap()
                .0
        });
        let sealed = of_datagram(&out[..length]);
        assert_eq!(sealed, of_datagram(&other), "different requests");
        (sealed, sent, correlation)
    }

    /// Both servers get a request: what it says, if they take it.
    fn take(&mut self, sealed: &Sealed) -> Option<(Content, Binding, Correlation)> {
        let option = protect::OscoreOption::decode(&sealed.option).ok()?;
        let meant = option.kid.is_some() && is_for(&option, &self.server.0);
        let mut scratch = [0; 1300];
        let own = self
            .server
            .0
            .unprotect_request(&option, &sealed.text, &mut scratch);
        let own = own.map(|(inner, binding)| (read_ours(&inner), binding));
        if !meant {
            assert!(own.is_err(), "took a request of somebody else");
            return None;
        }
        let datagram = datagram(2, sealed);
        let message = Message::parse(&datagram).unwrap();
        let server = &mut self.server.1;
        let (_, other) = native(Some(&message), |native| {
            let option = OscoreOption::parse(&sealed.option).expect("refused an option");
            liboscore::unprotect_request(native, option, server, read_theirs)
        });
        match (own, other) {
            (Ok((content, binding)), Ok((correlation, theirs))) => {
                assert_eq!(content, theirs, "read a request in two ways");
                Some((content, binding, correlation))
            }
            (Ok(_), Err(error)) => panic!("took what liboscore refuses: {error:?}"),
            (Err(error), Ok(_)) => panic!("refused what liboscore takes: {error:?}"),
            (Err(_), Err(_)) => None,
        }
    }

    /// Both servers make a response.
    fn answer(
        &mut self,
        binding: Binding,
        mut correlation: Correlation,
        content: &Content,
    ) -> Sealed {
        let mut out = [0; 1300];
        let code = Code(content.code);
        let answered =
            self.server
                .0
                .protect_response(binding, HEADER, code, build(content), &mut out);
        let (length, _) = answered.map_err(|(error, _)| error).unwrap();
        let sealed = of_datagram(&out[..length]);
        let server = &mut self.server.1;
        let (other, ()) = native(None, |native| {
            liboscore::protect_response(native, server, &mut correlation, |message| {
                write_theirs(message, content);
            })
            .unwrap();
        });
        assert_eq!(sealed, of_datagram(&other), "different responses");
        sealed
    }

    /// Both clients get a response: what it says, if they take it.
    fn read(
        &mut self,
        sent: &Sent,
        correlation: &mut Correlation,
        sealed: &Sealed,
    ) -> Option<Content> {
        let option = protect::OscoreOption::decode(&sealed.option).ok()?;
        let meant = is_for(&option, &self.client.0);
        let datagram = datagram(Code::CHANGED.0, sealed);
        let message = Message::parse(&datagram).unwrap();
        let mut scratch = [0; 1300];
        let own = self
            .client
            .0
            .unprotect_response(sent, &message, &mut scratch);
        let own = own.map(|inner| read_ours(&inner));
        if !meant {
            assert!(own.is_err(), "took a response of somebody else");
            return None;
        }
        let client = &mut self.client.1;
        let (_, other) = native(Some(&message), |native| {
            let option = OscoreOption::parse(&sealed.option).expect("refused an option");
            liboscore::unprotect_response(native, client, option, correlation, read_theirs)
        });
        match (own, other) {
            (Ok(content), Ok(theirs)) => {
                assert_eq!(content, theirs, "read a response in two ways");
                Some(content)
            }
            (Ok(_), Err(error)) => panic!("took what liboscore refuses: {error:?}"),
            (Err(error), Ok(_)) => panic!("refused what liboscore takes: {error:?}"),
            (Err(_), Err(_)) => None,
        }
    }
}

/// Whether a message with this option belongs to this context. liboscore leaves
/// that to its caller, and so never sees one of another context here.
fn is_for(option: &protect::OscoreOption<'_>, context: &SecurityContext) -> bool {
    option.kid.is_none_or(|kid| kid == context.recipient_id())
        && (option.kid_context.is_none() || option.kid_context == context.id_context())
}

/// What is taken for an OSCORE option here has the same meaning there.
fn alike(value: &[u8]) {
    let value = &value[..value.len().min(255)];
    if let Ok(option) = protect::OscoreOption::decode(value) {
        let other = OscoreOption::parse(value).expect("refused an option");
        assert_eq!(other.kid(), option.kid);
        assert_eq!(other.kid_context(), option.kid_context);
    }
}

fn damaged(bytes: &mut Vec<u8>, whether: u8, patches: &[u8]) {
    if whether != 0 {
        patch(bytes, patches);
    }
}

/// A message of what the bytes say: its options in order, and not too long for
/// one datagram.
fn content(bytes: &mut &[u8], codes: &[u8]) -> Content {
    let mut next = || {
        let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
        *bytes = rest;
        usize::from(*first)
    };
    let code = codes[next() % codes.len()];
    let lengths = [(); 6].map(|()| (OPTIONS[next() % OPTIONS.len()].0, next()));
    let (count, payload) = (next() % 7, next() * 2);
    let mut take = |length: usize| {
        let (taken, rest) = bytes.split_at(length.min(bytes.len()));
        *bytes = rest;
        taken.to_vec()
    };
    let mut options: Vec<(u16, Vec<u8>)> = lengths
        .iter()
        .take(count)
        .map(|(number, length)| (*number, take(length % 100)))
        .collect();
    options.sort_by_key(|(number, _)| *number);
    Content {
        code,
        options,
        payload: take(payload),
    }
}

/// The parts of a datagram that count.
fn of_datagram(datagram: &[u8]) -> Sealed {
    let message = Message::parse(datagram).unwrap();
    Sealed {
        option: message.option(number::OSCORE).unwrap().to_vec(),
        text: message.payload.to_vec(),
    }
}

/// A datagram of the parts that count.
fn datagram(code: u8, sealed: &Sealed) -> Vec<u8> {
    use sealift_oscore::coap::Writer;

    let mut buffer = [0; 1500];
    let mut writer = Writer::message(&mut buffer, HEADER, Code(code)).unwrap();
    writer.option(number::OSCORE, &sealed.option).unwrap();
    writer.payload(&sealed.text).unwrap();
    let length = writer.finish();
    buffer[..length].to_vec()
}
