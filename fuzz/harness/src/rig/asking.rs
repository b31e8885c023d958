//! Requests of the peers with sessions, and what comes back.

use sealift_oscore::coap::{Code, Header, Inner, Kind, Writer, number};

use super::{OP, Open, Reply, Rig, plaintext, request};
use crate::device::SESSION_IDLE;
use crate::fixtures::Body;

/// How long an answer may take, in milliseconds: all that may wait at a time, each
/// with a capsule that takes all the time it has.
const MAX_WAIT: u64 = 30 * 60_000;

impl Rig {
    /// A message ID that was not used before.
    pub(crate) fn next_mid(&mut self) -> u16 {
        self.mid = self.mid.wrapping_add(1);
        self.mid
    }

    /// Sends a request of one of the peers with a session: whatever the plaintext
    /// is, it is encrypted as it should be. `outer` writes further outer
    /// options. Returns the number by which its answer is found.
    pub(crate) fn fire(
        &mut self,
        who: usize,
        kind: Kind,
        plaintext: &[u8],
        outer: impl FnOnce(&mut Writer<'_>),
    ) -> u16 {
        let now = self.clock.get();
        if now - self.sessions[who].used >= SESSION_IDLE {
            self.sessions[who] = self.session(who);
        }
        let mid = self.next_mid();
        let header = Header {
            kind,
            mid,
            token: &mid.to_be_bytes(),
        };
        let session = &mut self.sessions[who];
        let from = session.from;
        let (datagram, question) = session.link.request(header, plaintext, outer);
        self.genuine.push(datagram.clone());
        self.open.push(Open {
            who,
            kind,
            mid,
            question,
        });
        self.deliver(from, &datagram);
        mid
    }

    /// Sends a request and waits for its answer, as a client does: it brings an
    /// Echo value back if it is asked to.
    pub(crate) fn ask(
        &mut self,
        who: usize,
        kind: Kind,
        plaintext: &[u8],
        outer: impl Fn(&mut Writer<'_>),
    ) -> Reply {
        let mid = self.fire(who, kind, plaintext, &outer);
        let reply = self.answer(mid);
        match echo(&reply).and_then(|value| with_echo(plaintext, &value)) {
            None => reply,
            Some(again) => {
                let mid = self.fire(who, kind, &again, &outer);
                self.answer(mid)
            }
        }
    }

    /// Waits for the answer to a request.
    pub(crate) fn answer(&mut self, mid: u16) -> Reply {
        let end = self.clock.get().saturating_add(MAX_WAIT);
        loop {
            let found = self.answers.iter().position(|(of, _)| *of == mid);
            if let Some(at) = found {
                return self.answers.remove(at).1;
            }
            if self.clock.get() >= end {
                return Reply::None;
            }
            let then = self.poll();
            if self.open.iter().any(|open| open.mid == mid) {
                self.clock.set(then);
            }
        }
    }

    /// Waits until every request has its answer.
    pub(crate) fn settle(&mut self) {
        while let Some(open) = self.open.first() {
            let mid = open.mid;
            assert_ne!(self.answer(mid), Reply::None, "no answer");
        }
        self.answers.clear();
    }

    /// One block of a body, or all of it where it is short.
    pub(crate) fn block(body: &Body, num: u32, szx: u8) -> Vec<u8> {
        let size = 16 << szx;
        let start = body.bytes.len().min(num as usize * size);
        let end = body.bytes.len().min(start + size);
        plaintext(body.code, |writer| {
            for segment in body.path {
                writer.option(number::URI_PATH, segment.as_bytes()).unwrap();
            }
            let more = u32::from(end < body.bytes.len());
            writer
                .uint(number::BLOCK1, num << 4 | more << 3 | u32::from(szx))
                .unwrap();
            writer.payload(&body.bytes[start..end]).unwrap();
        })
    }

    /// Sends a body in blocks until the device says something else than to go
    /// on; its last answer. An empty one has one block.
    pub(crate) fn send(&mut self, who: usize, body: &Body, blocks: core::ops::Range<u32>) -> Reply {
        let mut last = Reply::None;
        for num in blocks {
            if num > 0 && num as usize * 1024 >= body.bytes.len() {
                break;
            }
            let plaintext = Self::block(body, num, 6);
            last = self.ask(who, Kind::Confirmable, &plaintext, |_| {});
            let goes_on = matches!(&last, Reply::Protected(inner) if inner[0] == Code::CONTINUE.0);
            if !goes_on {
                break;
            }
        }
        last
    }

    /// Installs and confirms a capsule on `vm1`.
    pub(super) fn install(&mut self, envelope: &[u8]) {
        let body = Body {
            code: Code::PUT,
            path: &["vm-control", "vm1"],
            bytes: envelope.to_vec(),
        };
        let installed = self.send(OP, &body, 0..4096);
        let confirm = request(Code::POST, "vm-control/vm1/confirm");
        let confirmed = self.ask(OP, Kind::Confirmable, &confirm, |_| {});
        for reply in [installed, confirmed] {
            let Reply::Protected(inner) = &reply else {
                panic!("{reply:?}");
            };
            assert_eq!(inner[0], Code::CHANGED.0, "{}", text(inner));
        }
    }
}

/// The Echo value that a protected 4.01 asks for.
fn echo(reply: &Reply) -> Option<Vec<u8>> {
    let Reply::Protected(plaintext) = reply else {
        return None;
    };
    let inner = Inner::parse(plaintext).ok()?;
    let value = inner.option(number::ECHO)?;
    (inner.code == Code::UNAUTHORIZED).then(|| value.to_vec())
}

/// The same request with an Echo option; `None` if it has one, or is none.
fn with_echo(request: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let inner = Inner::parse(request).ok()?;
    let again = plaintext(inner.code, |writer| {
        let (before, after): (Vec<_>, Vec<_>) =
            inner.options.clone().partition(|o| o.number < number::ECHO);
        for option in before {
            writer.option(option.number, option.value).unwrap();
        }
        writer.option(number::ECHO, value).unwrap();
        for option in after {
            writer.option(option.number, option.value).unwrap();
        }
        writer.payload(inner.payload).unwrap();
    });
    (inner.option(number::ECHO).is_none() && again.len() < 1200).then_some(again)
}

/// A response for a message to people.
fn text(inner: &[u8]) -> String {
    String::from_utf8_lossy(inner).into_owned()
}
