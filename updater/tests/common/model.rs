//! What a device does, without network, flash and signatures: enough of the
//! service for a client to be tested against.

use std::collections::VecDeque;

use sealift_manifest::{Scan, inspect, scan_head};
use sealift_oscore::coap::{BlockOption, Code, Inner, Writer, number};
use sealift_wire::{ComponentStatus, DeviceStatus, Phase, Refusal, Transfer};
use sha2::{Digest, Sha256};

pub const COMPONENT: &str = "vm1";

/// Erase page of the flash that the model stands for.
pub const PAGE: usize = 4096;

/// What a device may get wrong in a block-wise transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confusion {
    /// Acknowledges another block.
    WrongNumber,
    /// Asks for more after the last block.
    NeverEnough,
    /// Another code in the second block of the answer.
    NewCode,
}

/// A response before it is protected.
#[derive(Clone, Debug)]
pub struct Answer {
    pub code: Code,
    pub etag: Option<Vec<u8>>,
    pub content_format: Option<u16>,
    pub max_age: Option<u32>,
    pub block1: Option<BlockOption>,
    pub block2: Option<BlockOption>,
    pub size1: Option<u32>,
    pub echo: Option<Vec<u8>>,
    pub payload: Vec<u8>,
}

impl Answer {
    pub fn new(code: Code, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            code,
            etag: None,
            content_format: None,
            max_age: None,
            block1: None,
            block2: None,
            size1: None,
            echo: None,
            payload: payload.into(),
        }
    }

    /// Options, in the order of their numbers, and payload.
    pub fn write(&self, writer: &mut Writer<'_>) -> Result<(), sealift_oscore::coap::Error> {
        if let Some(etag) = &self.etag {
            writer.option(number::ETAG, etag)?;
        }
        if let Some(format) = self.content_format {
            writer.uint(number::CONTENT_FORMAT, u32::from(format))?;
        }
        if let Some(seconds) = self.max_age {
            writer.uint(number::MAX_AGE, seconds)?;
        }
        if let Some(block) = self.block2 {
            writer.block(number::BLOCK2, block)?;
        }
        if let Some(block) = self.block1 {
            writer.block(number::BLOCK1, block)?;
        }
        if let Some(size) = self.size1 {
            writer.uint(number::SIZE1, size)?;
        }
        if let Some(echo) = &self.echo {
            writer.option(number::ECHO, echo)?;
        }
        writer.payload(&self.payload)
    }
}

/// A transfer that is under way.
pub struct Open {
    sequence: u64,
    size: usize,
    digest: [u8; 32],
    payload_digest: [u8; 32],
    data: Vec<u8>,
}

/// State of the device, and what a test may set.
pub struct Model {
    /// Largest block that the device wants.
    pub szx: u8,
    /// Refuses the first payload block that starts at or after this offset.
    pub refuse_at: Option<(usize, Refusal)>,
    /// Loses its memory once it has this many payload bytes: what a restart does.
    pub restart_at: Option<usize>,
    /// Bytes of an open transfer that a restart loses.
    pub restart_loses: usize,
    /// Or the bytes that it keeps.
    pub restart_to: Option<usize>,
    /// Restarts on the next request.
    pub restart_now: bool,
    /// Restarts between message_2 and message_3 of the next key exchange.
    pub restart_in_handshake: bool,
    /// Restarts once a body, other than of a push, has this many bytes.
    pub restart_in_body: Option<usize>,
    /// What it gets wrong.
    pub confusion: Option<Confusion>,
    /// Asks for this Echo value before anything is done, once.
    pub echo: Option<Vec<u8>>,
    /// Or for ever.
    pub never_fresh: bool,
    /// Requests with an Echo option.
    pub echoes_seen: usize,
    /// Answers to the next key exchanges: 4.01 with these Echo values.
    pub challenges: VecDeque<Vec<u8>>,
    /// Answers to the next requests, which are not looked at.
    pub instead: VecDeque<Answer>,
    /// Answers carry an ETag, of this version of `/vm1/page`.
    pub tagged: bool,
    pub version: u16,
    /// The page becomes another one once this block of it was asked for.
    pub changes_at: Option<u32>,
    /// Or each time that it was.
    pub keeps_changing: bool,
    /// How often `/vm1/count` was asked.
    pub count: usize,
    /// Set when the security contexts are to be forgotten.
    pub forget_contexts: bool,
    /// Bytes of payload blocks that came in, repetitions included.
    pub payload_bytes: usize,
    /// Envelope blocks that came in.
    pub envelope_blocks: usize,
    /// What is installed.
    pub installed: Vec<u8>,
    pub status: ComponentStatus,
    pub active: Option<[u8; 32]>,
    pub transfer: Option<Open>,
    pub body: Vec<u8>,
    pub output: Vec<u8>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            szx: 6,
            refuse_at: None,
            restart_at: None,
            restart_loses: 0,
            restart_to: None,
            restart_now: false,
            restart_in_handshake: false,
            restart_in_body: None,
            confusion: None,
            echo: None,
            never_fresh: false,
            echoes_seen: 0,
            challenges: VecDeque::new(),
            instead: VecDeque::new(),
            tagged: false,
            version: 0,
            changes_at: None,
            keeps_changing: false,
            count: 0,
            forget_contexts: false,
            payload_bytes: 0,
            envelope_blocks: 0,
            installed: Vec::new(),
            status: ComponentStatus {
                name: COMPONENT.into(),
                phase: Phase::Empty,
                slot: None,
                sequence: None,
                highest: 0,
                floor: 0,
                previous: None,
                tries_left: None,
                transfer: None,
                running: false,
                last_fault: None,
                fuel_last: None,
                memory: None,
                fuel_max: None,
                memory_max: None,
                starts: None,
                uptime: None,
                last_cause: None,
            },
            active: None,
            transfer: None,
            body: Vec::new(),
            output: Vec::new(),
        }
    }
}

impl Model {
    pub fn handle(&mut self, request: &Inner<'_>) -> Answer {
        if std::mem::take(&mut self.restart_now) {
            self.forget_contexts = true;
        }
        if let Some(value) = &self.echo {
            let given = request.option(number::ECHO);
            self.echoes_seen += usize::from(given.is_some());
            if given != Some(value) || self.never_fresh {
                let mut answer = Answer::new(Code::UNAUTHORIZED, "not fresh");
                answer.echo = Some(value.clone());
                return answer;
            }
            self.echo = None;
        }
        if let Some(answer) = self.instead.pop_front() {
            return answer;
        }
        let mut answer = self
            .respond(request)
            .unwrap_or_else(|refusal| Answer::new(Code(refusal.code()), refusal.to_string()));
        let later_block = answer.block2.is_some_and(|block| block.num > 0);
        match (self.confusion, &mut answer.block1) {
            (Some(Confusion::WrongNumber), Some(block)) => block.num += 1,
            (Some(Confusion::NeverEnough), _) => answer.code = Code::CONTINUE,
            (Some(Confusion::NewCode), _) if later_block => answer.code = Code::CHANGED,
            _ => {}
        }
        answer
    }

    fn respond(&mut self, request: &Inner<'_>) -> Result<Answer, Refusal> {
        let path: Vec<_> = request
            .uri_path()
            .map(|segment| String::from_utf8(segment.to_vec()).unwrap())
            .collect();
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        match (request.code, path.as_slice()) {
            (Code::GET, [".well-known", "core"]) => self.output_of(
                request,
                Code::CONTENT,
                b"</vm-control>;title=\"a, b\",</vm-run>".to_vec(),
            ),
            (Code::GET, ["vm-control"]) => {
                let status = DeviceStatus {
                    profile: "test".into(),
                    vendor_id: [1; 16],
                    class_id: [2; 16],
                    components: vec![self.component()],
                    uptime: None,
                    trust: None,
                };
                self.output_of(request, Code::CONTENT, status.to_cbor())
            }
            (Code::GET, ["vm-control", COMPONENT]) => {
                let status = self.component().to_cbor();
                self.output_of(request, Code::CONTENT, status)
            }
            (_, ["vm-control", other, ..]) if *other != COMPONENT => Err(Refusal::UnknownComponent),
            (Code::PUT, ["vm-control", _]) => self.envelope(request),
            (Code::PUT, ["vm-control", _, "payload"]) => self.payload(request),
            (Code::POST, ["vm-control", _, "confirm"]) => {
                if self.status.phase != Phase::Trial {
                    return Err(Refusal::NoTrial);
                }
                self.status.phase = Phase::Confirmed;
                Ok(self.changed())
            }
            (Code::POST, ["vm-control", _, "rollback"]) => Err(Refusal::NoPrevious),
            (Code::DELETE, ["vm-control", _]) => {
                self.status.phase = Phase::Empty;
                self.status.sequence = None;
                self.active = None;
                let mut answer = self.changed();
                answer.code = Code::DELETED;
                Ok(answer)
            }
            (Code::POST, ["vm-run"]) => self.whole(request, |body| {
                // The envelope is one CBOR item; the input follows it.
                let prefix = &body[..body.len().min(sealift_manifest::MAX_HEAD)];
                let end = (1..=prefix.len()).find_map(|len| match scan_head(&prefix[..len]) {
                    Ok(Scan::Complete {
                        head_len,
                        integrated: Some(payload),
                    }) => Some(head_len + usize::try_from(payload).unwrap()),
                    _ => None,
                });
                let input = end.and_then(|end| body.get(end..)).unwrap_or(b"?");
                [b"ran with ", input].concat()
            }),
            (Code::POST, [COMPONENT, "count"]) => {
                self.count += 1;
                let count = self.count.to_string().into_bytes();
                self.output_of(request, Code::CHANGED, count)
            }
            (_, [COMPONENT, "page"]) => {
                let num = request.block2().unwrap().map_or(0, |block| block.num);
                if self.changes_at == Some(num) {
                    self.version += 1;
                    if !self.keeps_changing {
                        self.changes_at = None;
                    }
                }
                let page = self.page();
                self.output_of(request, Code::CONTENT, page)
            }
            (_, [COMPONENT, "echo"]) => self.whole(request, <[u8]>::to_vec),
            _ => Err(Refusal::NotFound),
        }
    }

    /// What a restart leaves: of an open transfer, whole pages.
    pub fn restart(&mut self) {
        if let Some(open) = &mut self.transfer {
            let kept = open.data.len() - open.data.len() % PAGE;
            open.data.truncate(kept);
        }
        self.body.clear();
        self.output.clear();
    }

    /// What `/vm1/page` says in its present version.
    pub fn page(&self) -> Vec<u8> {
        vec![b'a' + u8::try_from(self.version % 26).unwrap(); 3000]
    }

    fn component(&self) -> ComponentStatus {
        let mut status = self.status.clone();
        status.transfer = self.transfer.as_ref().map(|open| Transfer {
            sequence: open.sequence,
            received: u32::try_from(open.data.len()).unwrap(),
            size: u32::try_from(open.size).unwrap(),
            digest: open.digest,
        });
        status
    }

    fn changed(&self) -> Answer {
        Answer {
            content_format: Some(60),
            ..Answer::new(Code::CHANGED, self.component().to_cbor())
        }
    }

    /// A block with the size that the device wants.
    fn proceed(&self, block: BlockOption) -> Answer {
        Answer {
            block1: Some(BlockOption {
                szx: block.szx.min(self.szx),
                ..block
            }),
            ..Answer::new(Code::CONTINUE, [])
        }
    }

    fn envelope(&mut self, request: &Inner<'_>) -> Result<Answer, Refusal> {
        let block = request.block1().unwrap().unwrap_or(BlockOption {
            num: 0,
            more: false,
            szx: 6,
        });
        self.envelope_blocks += 1;
        if block.offset() == 0 {
            self.body.clear();
            self.transfer = None;
        }
        let open_len = self.transfer.as_ref().map_or(0, |open| open.data.len());
        if block.offset() != self.body.len() + open_len {
            return Err(Refusal::BlockOutOfOrder);
        }
        let mut rest = request.payload;
        if self.transfer.is_none() {
            self.body.extend_from_slice(rest);
            let scan = scan_head(&self.body).map_err(|_| Refusal::Malformed)?;
            let Scan::Complete {
                head_len,
                integrated,
            } = scan
            else {
                return Ok(self.proceed(block));
            };
            let follow = self.body.len() - head_len;
            let inspected = inspect(&self.body).map_err(|_| Refusal::Malformed)?;
            let manifest = inspected.untrusted().manifest;
            if self.active == Some(manifest.digest) {
                let mut answer = self.changed();
                answer.code = Code::VALID;
                return Ok(answer);
            }
            if manifest.sequence_number <= self.status.highest {
                return Err(Refusal::OldSequence);
            }
            self.transfer = Some(Open {
                sequence: manifest.sequence_number,
                size: usize::try_from(manifest.payload_size).unwrap(),
                digest: manifest.digest,
                payload_digest: manifest.payload_digest,
                data: Vec::new(),
            });
            self.body.truncate(head_len);
            if integrated.is_none() {
                return Ok(self.changed());
            }
            rest = &rest[rest.len() - follow..];
        }
        self.take(rest, block)
    }

    fn payload(&mut self, request: &Inner<'_>) -> Result<Answer, Refusal> {
        let block = request.block1().unwrap().ok_or(Refusal::BadRequest)?;
        let open = self.transfer.as_ref().ok_or(Refusal::NoTransfer)?;
        let received = open.data.len();
        if block.offset() > received {
            return Err(Refusal::WrongOffset);
        }
        self.payload_bytes += request.payload.len();
        if let Some((at, refusal)) = self.refuse_at
            && block.offset() >= at
        {
            return Err(refusal);
        }
        let known = (received - block.offset()).min(request.payload.len());
        self.take(&request.payload[known..], block)
    }

    /// Takes payload bytes; with the last ones, installs.
    fn take(&mut self, bytes: &[u8], block: BlockOption) -> Result<Answer, Refusal> {
        let open = self.transfer.as_mut().ok_or(Refusal::NoTransfer)?;
        open.data.extend_from_slice(bytes);
        if open.data.len() > open.size {
            self.transfer = None;
            return Err(Refusal::TooLong);
        }
        if self.restart_at.is_some_and(|at| open.data.len() >= at) {
            self.restart_at = None;
            let kept = open.data.len().saturating_sub(self.restart_loses);
            open.data.truncate(self.restart_to.unwrap_or(kept));
            self.body.clear();
            self.forget_contexts = true;
            // The power went before more was done; this is not sent.
            return Ok(self.proceed(block));
        }
        if block.more {
            return Ok(self.proceed(block));
        }
        let open = self.transfer.take().ok_or(Refusal::NoTransfer)?;
        if open.data.len() < open.size {
            return Err(Refusal::Truncated);
        }
        if <[u8; 32]>::from(Sha256::digest(&open.data)) != open.payload_digest {
            return Err(Refusal::WrongPayload);
        }
        self.active = Some(open.digest);
        self.status.phase = Phase::Trial;
        self.status.slot = Some(0);
        self.status.sequence = Some(open.sequence);
        self.status.highest = open.sequence;
        self.status.tries_left = Some(3);
        self.installed = open.data;
        let mut answer = self.changed();
        answer.block1 = Some(block);
        Ok(answer)
    }

    /// A resource that takes a whole body in blocks and answers with one.
    fn whole(
        &mut self,
        request: &Inner<'_>,
        work: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<Answer, Refusal> {
        if let Some(wanted) = request.block2().unwrap()
            && wanted.num > 0
        {
            return Ok(self.part(wanted, Code::CONTENT));
        }
        let block = request.block1().unwrap();
        let part = block.unwrap_or(BlockOption {
            num: 0,
            more: false,
            szx: 6,
        });
        if part.num == 0 {
            self.body.clear();
        }
        if part.offset() != self.body.len() {
            return Err(Refusal::BlockOutOfOrder);
        }
        if part.szx > self.szx && request.payload.len() > 16 << self.szx {
            // "Too large, but smaller blocks would do" (RFC 7959, 2.9.3).
            let mut answer = self.proceed(part);
            answer.code = Code::TOO_LARGE;
            return Ok(answer);
        }
        self.body.extend_from_slice(request.payload);
        if self
            .restart_in_body
            .is_some_and(|len| self.body.len() >= len)
        {
            self.restart_in_body = None;
            self.body.clear();
            self.forget_contexts = true;
        }
        if part.more {
            return Ok(self.proceed(part));
        }
        let output = work(&self.body);
        let mut answer = self.output_of(request, Code::CONTENT, output)?;
        answer.block1 = block;
        Ok(answer)
    }

    fn output_of(
        &mut self,
        request: &Inner<'_>,
        code: Code,
        output: Vec<u8>,
    ) -> Result<Answer, Refusal> {
        self.output = output;
        let wanted = request.block2().unwrap().unwrap_or(BlockOption {
            num: 0,
            more: false,
            szx: self.szx,
        });
        Ok(self.part(wanted, code))
    }

    fn part(&self, wanted: BlockOption, code: Code) -> Answer {
        let szx = wanted.szx.min(self.szx);
        let wanted = BlockOption { szx, ..wanted };
        let start = wanted.offset().min(self.output.len());
        let end = (start + wanted.size()).min(self.output.len());
        let more = end < self.output.len();
        Answer {
            etag: self.tagged.then(|| self.version.to_be_bytes().to_vec()),
            content_format: Some(0),
            block2: (more || wanted.num > 0).then_some(BlockOption { more, ..wanted }),
            ..Answer::new(code, &self.output[start..end])
        }
    }
}
