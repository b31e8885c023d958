//! What a step of a script has the device say.

use std::time::Duration;

use sealift_oscore::MAX_DATAGRAM;
use sealift_oscore::coap::{BlockOption, Code, Header, Kind, Message, Writer, number};
use sealift_wire::{DeviceStatus, Transfer};

use super::device::Device;
use super::model::Answer;
use super::wish;
use crate::rig::plaintext;
use crate::script::{Step, patch};
use crate::targets::time;

/// What each number of a step stands for. First, what is authentic: as it should be;
/// so, but for some bytes; any code, options and payload; a status; any plaintext.
pub(super) const HONEST: u8 = 0;
pub(super) const ALTERED: u8 = 1;
pub(super) const ANSWER: u8 = 2;
pub(super) const STATUS: u8 = 3;
pub(super) const PLAINTEXT: u8 = 4;
/// Nothing; as it should be, but later, by itself; what was said before; the same twice.
pub(super) const SILENCE: u8 = 5;
pub(super) const LATER: u8 = 6;
pub(super) const AGAIN: u8 = 7;
pub(super) const TWICE: u8 = 8;
/// Of somebody on the way: an answer without protection; a reset, an acknowledgement or
/// a ping; any datagram.
pub(super) const BARE: u8 = 9;
pub(super) const EMPTY: u8 = 10;
pub(super) const RAW: u8 = 11;
/// The device has restarted; it asks for an Echo; it asks for more.
pub(super) const RESTART: u8 = 12;
pub(super) const CHALLENGE: u8 = 13;
pub(super) const GO_ON: u8 = 14;

const STEPS: u8 = 15;

/// Codes that a client makes something of.
pub(super) const CODES: [Code; 16] = [
    Code::CONTENT,
    Code::CHANGED,
    Code::CONTINUE,
    Code::VALID,
    Code::CREATED,
    Code::DELETED,
    Code::BAD_REQUEST,
    Code::UNAUTHORIZED,
    Code::FORBIDDEN,
    Code::NOT_FOUND,
    Code::INCOMPLETE,
    Code::CONFLICT,
    Code::TOO_LARGE,
    Code::INTERNAL_SERVER_ERROR,
    Code::SERVICE_UNAVAILABLE,
    Code::new(2, 30),
];

/// Options of [`ANSWER`]; a bit for each says whether it is there.
const OPTIONS: [u16; 8] = [
    number::ETAG,
    number::CONTENT_FORMAT,
    number::MAX_AGE,
    number::BLOCK2,
    number::BLOCK1,
    number::SIZE2,
    number::SIZE1,
    number::ECHO,
];

const NOW: Duration = Duration::ZERO;

impl Device {
    /// Answers a protected request; without a step, as it should.
    pub(super) fn react(&mut self, request: &Message<'_>, step: Option<&Step>) {
        let honest = self.honest.as_ref().map(written).unwrap_or_default();
        let header = Header {
            kind: Kind::Acknowledgement,
            ..request.header()
        };
        let Some(Step { op, arg, data }) = step else {
            return self.say(header, &honest, NOW);
        };
        let first = data.first().copied().unwrap_or_default();
        match op % STEPS {
            HONEST => self.say(header, &honest, NOW),
            ALTERED => {
                let mut altered = honest;
                patch(&mut altered, data);
                self.say(header, &altered, NOW);
            }
            ANSWER => {
                let answer = answer(*arg, data, self.asked_for);
                self.say(header, &answer, NOW);
            }
            STATUS => {
                let status = self.status(*arg, data);
                let payload = |writer: &mut Writer<'_>| writer.payload(&status).unwrap();
                self.say(header, &plaintext(Code::CONTENT, payload), NOW);
            }
            PLAINTEXT => self.say(header, data, NOW),
            LATER => {
                if arg & 1 == 0 {
                    self.send(empty(Kind::Acknowledgement, request.mid), NOW);
                }
                let header = self.separate(request, *arg);
                self.say(header, &honest, Duration::from_millis(time(first)));
            }
            TWICE => {
                self.say(header, &honest, NOW);
                self.repeat(0);
                let mut other = honest;
                patch(&mut other, data);
                let header = self.separate(request, *arg);
                self.say(header, &other, NOW);
            }
            CHALLENGE => {
                let value = &data[..data.len().min(40)];
                let echo = |writer: &mut Writer<'_>| writer.option(number::ECHO, value).unwrap();
                self.say(header, &plaintext(Code::UNAUTHORIZED, echo), NOW);
            }
            GO_ON => {
                let asked = self.asked_for;
                let block = BlockOption {
                    num: asked.map_or(0, |block| block.num),
                    more: true,
                    szx: asked.map_or(6, |block| block.szx).min(arg % 7),
                };
                let go_on = |writer: &mut Writer<'_>| writer.block(number::BLOCK1, block).unwrap();
                self.say(header, &plaintext(Code::CONTINUE, go_on), NOW);
            }
            RESTART => {
                self.forget();
                if arg & 1 == 0 {
                    self.say_bare(request, Code::UNAUTHORIZED, |_| Ok(()));
                }
            }
            _ => self.disturb_on_the_way(request, op % STEPS, *arg, data),
        }
    }

    /// Answers a message of a key exchange, which `answer` would be right for.
    pub(super) fn disturb(&mut self, request: &Message<'_>, answer: &[u8], step: &Step) {
        let Step { op, arg, data } = step;
        match op % STEPS {
            ALTERED => {
                let mut altered = answer.to_vec();
                patch(&mut altered, data);
                self.say_bare(request, Code::CHANGED, |writer| writer.payload(&altered));
            }
            ANSWER => {
                let code = CODES[usize::from(arg % 16)];
                self.say_bare(request, code, |writer| writer.payload(data));
            }
            CHALLENGE => {
                let value = &data[..data.len().min(40)];
                let echo = |writer: &mut Writer<'_>| writer.option(number::ECHO, value);
                self.say_bare(request, Code::UNAUTHORIZED, echo);
            }
            RESTART => self.forget(),
            op @ (SILENCE | AGAIN | BARE | EMPTY | RAW) => {
                self.disturb_on_the_way(request, op, *arg, data);
            }
            _ => self.say_bare(request, Code::CHANGED, |writer| writer.payload(answer)),
        }
    }

    /// What nobody needs a key for.
    fn disturb_on_the_way(&mut self, request: &Message<'_>, op: u8, arg: u8, data: &[u8]) {
        match op {
            AGAIN => self.repeat(usize::from(arg)),
            BARE => {
                let code = CODES[usize::from(arg % 16)];
                self.say_bare(request, code, |writer| writer.payload(data));
            }
            EMPTY => {
                let kind = Kind::from_bits(arg);
                let mid = request.mid.wrapping_add(u16::from(arg >> 4));
                self.send(empty(kind, mid), NOW);
            }
            // To this request, as its header says; or of any content.
            RAW if arg & 1 == 0 => {
                let header = Header {
                    kind: Kind::from_bits(arg >> 1),
                    ..request.header()
                };
                let code = CODES[usize::from(arg >> 4)];
                let mut out = [0; MAX_DATAGRAM];
                let mut writer = Writer::message(&mut out, header, code).unwrap();
                if writer.raw(data).is_ok() {
                    let length = writer.finish();
                    self.send(out[..length].to_vec(), NOW);
                }
            }
            RAW => self.send(data.to_vec(), NOW),
            // Silence.
            _ => {}
        }
    }

    /// The header of an answer that is a message of the device's own.
    fn separate<'a>(&mut self, request: &Message<'a>, arg: u8) -> Header<'a> {
        self.mid = self.mid.wrapping_add(1);
        let kind = match arg & 2 {
            0 => Kind::Confirmable,
            _ => Kind::NonConfirmable,
        };
        Header {
            kind,
            mid: self.mid,
            token: request.token,
        }
    }

    /// A status as it should be, but for the transfer: of this capsule or of another
    /// one, with any numbers.
    fn status(&self, arg: u8, data: &[u8]) -> Vec<u8> {
        let number = |at: usize| {
            let bytes: Vec<u8> = data
                .iter()
                .copied()
                .skip(at)
                .chain([0; 4])
                .take(4)
                .collect();
            u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
        };
        let mut digest = wish::package_of(self.flags).digest();
        digest[0] ^= arg >> 7;
        let mut status = self.model.status.clone();
        status.transfer = (arg & 1 == 0).then_some(Transfer {
            sequence: 7,
            received: number(0),
            size: number(4),
            digest,
        });
        if arg & 2 == 0 {
            return status.to_cbor();
        }
        DeviceStatus {
            profile: "test".into(),
            vendor_id: [1; 16],
            class_id: [2; 16],
            components: vec![status],
            uptime: None,
            trust: None,
        }
        .to_cbor()
    }
}

/// An answer, before it is protected.
fn written(answer: &Answer) -> Vec<u8> {
    plaintext(answer.code, |writer| answer.write(writer).unwrap())
}

/// Any code, options that are well-formed as a whole, though their values may not be,
/// and payload. The block of the request comes back as it is, or with the fuzzer's
/// number.
fn answer(arg: u8, data: &[u8], asked_for: Option<BlockOption>) -> Vec<u8> {
    let [present, rest @ ..] = data else {
        return vec![CODES[usize::from(arg % 16)].0];
    };
    let mut rest = rest;
    plaintext(CODES[usize::from(arg % 16)], |writer| {
        for (bit, number) in OPTIONS.into_iter().enumerate() {
            if present >> bit & 1 == 0 {
                continue;
            }
            if number == number::BLOCK1
                && arg & 0x80 == 0
                && let Some(block) = asked_for
            {
                writer.block(number, block).unwrap();
                continue;
            }
            let [length, value @ ..] = rest else {
                return;
            };
            let (value, tail) = value.split_at(value.len().min(usize::from(length % 9)));
            writer.option(number, value).unwrap();
            rest = tail;
        }
        let rest = &rest[..rest.len().min(1024)];
        writer.payload(rest).unwrap();
    })
}

/// An empty message: four bytes, no token.
fn empty(kind: Kind, mid: u16) -> Vec<u8> {
    let [high, low] = mid.to_be_bytes();
    vec![0x40 | kind.bits() << 4, 0, high, low]
}
