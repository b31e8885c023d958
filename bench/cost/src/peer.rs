//! Who talks to the device while a case is recorded: a real client, whose own cost
//! is not counted.

use anyhow::{Context, Result, ensure};
use fuzz_harness::Rng;
use sealift_manifest::PublicKey;
use sealift_oscore::client::edhoc_post;
use sealift_oscore::coap::{BlockOption, Code, Header, Kind, Message, Writer, number};
use sealift_oscore::{ClientContext, ClientHandshake, MAX_DATAGRAM};

use crate::steps::{Event, Step, Subject};
use crate::unit::People;

/// The host number of the operator.
const HOST: u8 = 1;

/// A device, its operator, and what happened so far.
pub struct Recorder {
    people: People,
    trust: Vec<PublicKey>,
    subject: Box<dyn Subject>,
    session: Option<ClientContext>,
    rng: Rng,
    mid: u16,
    /// What happened.
    pub steps: Vec<Step>,
    /// What the device sent each time.
    pub sent: Vec<Vec<u8>>,
    /// Whether the cost of what happens now counts.
    pub counted: bool,
    /// The instructions of what counted so far.
    pub instructions: u64,
    /// The payload of the last response in a session.
    pub answer: Vec<u8>,
}

/// A response: its code and payload.
type Response = (Code, Vec<u8>);

impl Recorder {
    /// This device, which has nothing on it, has just started.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn new(subject: Box<dyn Subject>, trust: &[PublicKey]) -> Result<Self> {
        let mut recorder = Self {
            subject,
            people: People::new()?,
            trust: trust.to_vec(),
            session: None,
            rng: Rng::new(5),
            mid: 0,
            steps: Vec::new(),
            sent: Vec::new(),
            counted: false,
            instructions: 0,
            answer: Vec::new(),
        };
        recorder.boot()?;
        Ok(recorder)
    }

    /// The device starts anew.
    ///
    /// # Errors
    /// Where it does not.
    pub fn boot(&mut self) -> Result<()> {
        self.session = None;
        self.happens(Event::Boot(self.trust.clone())).map(drop)
    }

    /// A datagram arrives from this host; what the device sends.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn send(&mut self, host: u8, datagram: &[u8]) -> Result<Vec<u8>> {
        let bytes = datagram.to_vec();
        self.happens(Event::Datagram { host, bytes })
    }

    fn happens(&mut self, event: Event) -> Result<Vec<u8>> {
        let sent = self.subject.act(self.steps.len(), &event)?;
        if self.counted {
            self.instructions += self.subject.instructions();
        }
        self.steps.push(Step {
            counted: self.counted,
            event,
        });
        self.sent.push(sent.clone());
        Ok(sent)
    }

    /// A whole key exchange.
    ///
    /// # Errors
    /// Where it fails.
    pub fn connect(&mut self) -> Result<()> {
        let (handshake, message_1) = self.message_1()?;
        let (_, message_2) = self.post(HOST, &message_1)?;
        let (message_3, context) = handshake.receive_message_2(&message_2, &mut self.rng)?;
        let (code, _) = self.post(HOST, &message_3)?;
        ensure!(code == Code::CHANGED, "no session: {code}");
        self.session = Some(context);
        Ok(())
    }

    /// A key exchange that is begun, and its first payload.
    ///
    /// # Errors
    /// None.
    pub fn message_1(&mut self) -> Result<(ClientHandshake, Vec<u8>)> {
        let People { device, operator } = &self.people;
        let started = ClientHandshake::start(operator, device.credential(), &mut self.rng);
        let (handshake, message_1) = started?;
        Ok((handshake, message_1.to_vec()))
    }

    /// Posts a message of a key exchange.
    ///
    /// # Errors
    /// Where there is no answer to read.
    pub fn post(&mut self, host: u8, payload: &[u8]) -> Result<Response> {
        let mid = self.next_mid();
        let mut datagram = [0; MAX_DATAGRAM];
        let length = edhoc_post(header(&mid), payload, &mut datagram)?;
        let sent = self.send(host, datagram.get(..length).unwrap_or_default())?;
        let response = Message::parse(&sent)?;
        Ok((response.code, response.payload.to_vec()))
    }

    /// A request in the session, which has to get a response with this code;
    /// returns that and the request as it was sent.
    ///
    /// # Errors
    /// Where it gets another one.
    pub fn ask(
        &mut self,
        code: Code,
        path: &str,
        block: Option<(BlockOption, &[u8])>,
        expected: Code,
    ) -> Result<Vec<u8>> {
        let mid = self.next_mid();
        let mut session = self.session.take().context("no session")?;
        let build = |writer: &mut Writer<'_>| {
            writer.uri_path(path)?;
            let Some((block, bytes)) = block else {
                return Ok(());
            };
            writer.block(number::BLOCK1, block)?;
            writer.payload(bytes)
        };
        let mut datagram = [0; MAX_DATAGRAM];
        let (length, question) = session.protect(header(&mid), code, build, &mut datagram)?;
        let datagram = datagram.get(..length).unwrap_or_default().to_vec();
        let sent = self.send(HOST, &datagram)?;
        let mut scratch = [0; MAX_DATAGRAM];
        let answer = session.unprotect(&question, &Message::parse(&sent)?, &mut scratch)?;
        ensure!(
            answer.code == expected,
            "{path}: {}, {}",
            answer.code,
            String::from_utf8_lossy(answer.payload)
        );
        self.answer = answer.payload.to_vec();
        self.session = Some(session);
        Ok(datagram)
    }

    /// Sends one block of a body: the last one is answered with `done`.
    ///
    /// # Errors
    /// Where the device does not take it.
    pub fn block(
        &mut self,
        method: Code,
        path: &str,
        body: &[u8],
        num: usize,
        szx: u8,
        done: Code,
    ) -> Result<()> {
        let size = 16 << szx;
        let mut chunks = body.chunks(size).skip(num);
        let bytes = chunks.next().context("no such block")?;
        let more = chunks.next().is_some();
        let block = BlockOption {
            num: u32::try_from(num)?,
            more,
            szx,
        };
        let expected = if more { Code::CONTINUE } else { done };
        self.ask(method, path, Some((block, bytes)), expected)
            .map(drop)
    }

    fn next_mid(&mut self) -> [u8; 2] {
        self.mid += 1;
        self.mid.to_be_bytes()
    }
}

/// A confirmable message whose token is its message ID.
fn header(mid: &[u8; 2]) -> Header<'_> {
    Header {
        kind: Kind::Confirmable,
        mid: u16::from_be_bytes(*mid),
        token: mid,
    }
}
