//! A peer by hand: a UDP socket, and a security context that is kept. For tests
//! that send what no client would, and see every datagram that comes back.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rand_core::OsRng;
use sealift_oscore::client::EDHOC_PATH;
use sealift_oscore::coap::{self, BlockOption, Code, Header, Kind, Message, Writer, number};
use sealift_oscore::protect::Sent;
use sealift_oscore::{ClientContext, ClientHandshake, Credential, Identity, MAX_DATAGRAM, pem};

use crate::{Device, Workshop};

/// How long an answer is waited for before the same bytes are sent again, and how
/// often. An answer that gets lost on the way is the exception on one machine.
const WAIT: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 10;
/// Content-Format application/cid-edhoc+cbor-seq.
const EDHOC_FORMAT: u32 = 65;

/// Somebody with a socket, a credential, and perhaps a session.
#[derive(Debug)]
pub struct RawPeer {
    socket: UdpSocket,
    identity: Identity,
    device: Credential,
    context: Option<ClientContext>,
    mid: u16,
}

/// A protected answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Response code.
    pub code: Code,
    /// Numbers and values of the options.
    pub options: Vec<(u16, Vec<u8>)>,
    /// Payload.
    pub payload: Vec<u8>,
}

impl Answer {
    /// The value of the first option of this number.
    #[must_use]
    pub fn option(&self, number: u16) -> Option<&[u8]> {
        let mut options = self.options.iter();
        let (_, value) = options.find(|option| option.0 == number)?;
        Some(value)
    }

    /// The payload, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

impl RawPeer {
    /// The holder of the credential `NAME.cred`, at a port of its own of
    /// 127.0.0.1, without a session.
    ///
    /// # Errors
    ///
    /// Where the files or a socket cannot be had.
    pub fn new(workshop: &Workshop, device: &Device, name: &str) -> Result<Self> {
        Self::at(Ipv4Addr::LOCALHOST, workshop, device, name)
    }

    /// The same at this address, which all of 127.0.0.0/8 may be.
    ///
    /// # Errors
    ///
    /// As [`RawPeer::new`].
    pub fn at(ip: Ipv4Addr, workshop: &Workshop, device: &Device, name: &str) -> Result<Self> {
        let read = |path| std::fs::read_to_string(path).context("a credential file");
        let identity = pem::decode_identity(&read(workshop.path(&format!("{name}.cred")))?)?;
        let credential = pem::decode_credential(&read(device.options().identity.clone())?)?;
        let socket = UdpSocket::bind((ip, 0))?;
        socket.connect(device.address())?;
        Ok(Self {
            socket,
            identity,
            device: credential,
            context: None,
            mid: 0,
        })
    }

    /// Shakes hands: from now on there is a session, and the one before, if there
    /// was one, is forgotten here.
    ///
    /// # Errors
    ///
    /// Where the device refuses.
    pub fn connect(&mut self) -> Result<()> {
        let (handshake, message_1) =
            ClientHandshake::start(&self.identity, &self.device, &mut OsRng)?;
        let message_2 = self.key_exchange(&message_1)?;
        let (message_3, context) = handshake.receive_message_2(&message_2, &mut OsRng)?;
        self.key_exchange(&message_3)?;
        self.context = Some(context);
        Ok(())
    }

    /// Sends a message of a key exchange, and once more where the device wants to
    /// see first that this address is ours (RFC 9175, 2.4); returns what it answers
    /// with 2.04.
    ///
    /// # Errors
    ///
    /// Where it answers with another code.
    pub fn key_exchange(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        let mut echo = None;
        for _ in 0..2 {
            let datagram = self.post_edhoc(payload, echo.as_deref())?;
            let response = self.exchange(&datagram)?;
            let message = Message::parse(&response)?;
            if message.code == Code::CHANGED {
                return Ok(message.payload.to_vec());
            }
            match message.option(number::ECHO) {
                Some(value) if message.code == Code::UNAUTHORIZED => echo = Some(value.to_vec()),
                _ => bail!("the key exchange was refused: {}", message.code),
            }
        }
        bail!("the device goes on asking for an Echo option")
    }

    /// A POST of a message of a key exchange.
    ///
    /// # Errors
    ///
    /// Where it does not fit into a datagram.
    pub fn post_edhoc(&mut self, payload: &[u8], echo: Option<&[u8]>) -> Result<Vec<u8>> {
        let mid = self.next_mid();
        let mut datagram = [0; MAX_DATAGRAM];
        let token = mid.to_be_bytes();
        let mut writer = Writer::message(&mut datagram, header(mid, &token), Code::POST)?;
        writer.uri_path(EDHOC_PATH)?;
        writer.uint(number::CONTENT_FORMAT, EDHOC_FORMAT)?;
        if let Some(echo) = echo {
            writer.option(number::ECHO, echo)?;
        }
        writer.payload(payload)?;
        Ok(writer.as_bytes().to_vec())
    }

    /// Who it says it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The credential of the device that it knows.
    #[must_use]
    pub fn device(&self) -> &Credential {
        &self.device
    }

    /// Where it sends from.
    ///
    /// # Errors
    ///
    /// Where the system does not say.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Goes to another port, as behind a NAT that has lost its table. The session
    /// stays.
    ///
    /// # Errors
    ///
    /// Where there is no free port.
    pub fn move_away(&mut self) -> Result<()> {
        let device = self.socket.peer_addr()?;
        let ip: IpAddr = self.address()?.ip();
        let socket = UdpSocket::bind((ip, 0))?;
        socket.connect(device)?;
        self.socket = socket;
        Ok(())
    }

    /// A message ID that was not used before.
    pub fn next_mid(&mut self) -> u16 {
        self.mid = self.mid.wrapping_add(1);
        self.mid
    }

    /// A protected request; for whom its response is.
    ///
    /// # Errors
    ///
    /// Where there is no session, or it does not fit.
    pub fn protect(
        &mut self,
        code: Code,
        build: impl FnOnce(&mut Writer<'_>) -> Result<(), coap::Error>,
    ) -> Result<(Vec<u8>, Sent)> {
        let mid = self.next_mid();
        let context = self.context.as_mut().context("there is no session")?;
        let mut datagram = [0; MAX_DATAGRAM];
        let token = mid.to_be_bytes();
        let header = header(mid, &token);
        let (length, sent) = context.protect(header, code, build, &mut datagram)?;
        let datagram = datagram.get(..length).unwrap_or_default();
        Ok((datagram.to_vec(), sent))
    }

    /// The answer in a datagram, if it is a protected one to this request.
    #[must_use]
    pub fn read(&self, sent: &Sent, datagram: &[u8]) -> Option<Answer> {
        let message = Message::parse(datagram).ok()?;
        let mut scratch = [0; MAX_DATAGRAM];
        let context = self.context.as_ref()?;
        let inner = context.unprotect(sent, &message, &mut scratch).ok()?;
        let options = inner.options.clone();
        Some(Answer {
            code: inner.code,
            options: options.map(|o| (o.number, o.value.to_vec())).collect(),
            payload: inner.payload.to_vec(),
        })
    }

    /// One protected request and its answer. Where the device wants to see first
    /// that the request is new, it is made a second time.
    ///
    /// # Errors
    ///
    /// Where the answer is not protected: the session is gone.
    pub fn request(
        &mut self,
        code: Code,
        path: &str,
        block: Option<BlockOption>,
        payload: &[u8],
    ) -> Result<Answer> {
        let mut echo: Option<Vec<u8>> = None;
        loop {
            let (datagram, sent) = self.protect(code, |writer| {
                writer.uri_path(path)?;
                if let Some(block) = block {
                    writer.block(number::BLOCK1, block)?;
                }
                if let Some(echo) = &echo {
                    writer.option(number::ECHO, echo)?;
                }
                writer.payload(payload)
            })?;
            let response = self.exchange(&datagram)?;
            let Some(answer) = self.read(&sent, &response) else {
                let code = Message::parse(&response)?.code;
                bail!("{path}: the answer is not protected: {code}");
            };
            match answer.option(number::ECHO) {
                Some(value) if echo.is_none() && answer.code == Code::UNAUTHORIZED => {
                    echo = Some(value.to_vec());
                }
                _ => return Ok(answer),
            }
        }
    }

    /// Sends one block of 2^(4 + szx) bytes of a body.
    ///
    /// # Errors
    ///
    /// As [`RawPeer::request`], or where the body has no such block.
    pub fn piece(
        &mut self,
        code: Code,
        path: &str,
        (num, szx): (u32, u8),
        body: &[u8],
    ) -> Result<Answer> {
        let size = 16_usize << szx;
        let parts = body.chunks(size).count();
        let at = usize::try_from(num)?;
        let part = body.chunks(size).nth(at).context("no such block")?;
        let more = at.saturating_add(1) < parts;
        self.request(code, path, Some(BlockOption { num, more, szx }), part)
    }

    /// Sends the blocks from `num` on until the answer is not 2.31.
    ///
    /// # Errors
    ///
    /// As [`RawPeer::piece`].
    pub fn put(&mut self, path: &str, body: &[u8], num: u32) -> Result<Answer> {
        for num in num.. {
            let answer = self.piece(Code::PUT, path, (num, 6), body)?;
            if answer.code != Code::CONTINUE {
                return Ok(answer);
            }
        }
        bail!("a body without end")
    }

    /// Sends a datagram.
    ///
    /// # Errors
    ///
    /// Where the system does not.
    pub fn send(&self, datagram: &[u8]) -> Result<()> {
        let sent = self.socket.send(datagram)?;
        ensure!(sent == datagram.len(), "only a part was sent");
        Ok(())
    }

    /// Sends a request and waits for its response, be it in the ACK, or in a
    /// message of its own, which is acknowledged.
    ///
    /// # Errors
    ///
    /// Where nothing answers, or the datagram is not a request.
    pub fn exchange(&self, datagram: &[u8]) -> Result<Vec<u8>> {
        let request = Message::parse(datagram)?;
        let mut acknowledged = false;
        for _ in 0..ATTEMPTS {
            if !acknowledged {
                self.send(datagram)?;
            }
            while let Some(bytes) = self.receive(WAIT)? {
                let message = Message::parse(&bytes)?;
                let meant = match message.kind {
                    Kind::Acknowledgement | Kind::Reset => message.mid == request.mid,
                    _ => message.token == request.token,
                };
                if !meant {
                    // Of something before.
                    continue;
                }
                if message.kind == Kind::Confirmable {
                    let header = Header {
                        kind: Kind::Acknowledgement,
                        mid: message.mid,
                        token: &[],
                    };
                    self.send(Writer::message(&mut [0; 4], header, Code::EMPTY)?.as_bytes())?;
                }
                if message.kind == Kind::Acknowledgement && message.code == Code::EMPTY {
                    acknowledged = true;
                    continue;
                }
                return Ok(bytes);
            }
        }
        bail!("no answer")
    }

    /// Everything that was sent here until the device answered a ping (RFC 7252,
    /// 4.3): it takes datagrams in their order, so what was sent to it before has
    /// been dealt with.
    ///
    /// # Errors
    ///
    /// Where it does not answer any more.
    pub fn settle(&mut self) -> Result<Vec<Vec<u8>>> {
        let mid = self.next_mid();
        let ping = header(mid, &[]);
        let mut before = Vec::new();
        for _ in 0..ATTEMPTS {
            self.send(Writer::message(&mut [0; 4], ping, Code::EMPTY)?.as_bytes())?;
            while let Some(bytes) = self.receive(WAIT)? {
                let [high, low] = mid.to_be_bytes();
                if bytes == [0x70, 0, high, low] {
                    return Ok(before);
                }
                before.push(bytes);
            }
        }
        bail!("the device does not answer a ping")
    }

    /// The next datagram, if one comes in this time.
    ///
    /// # Errors
    ///
    /// Where the socket fails: nobody listens there.
    pub fn receive(&self, wait: Duration) -> Result<Option<Vec<u8>>> {
        let mut buffer = [0; 2 * MAX_DATAGRAM];
        self.socket.set_read_timeout(Some(wait))?;
        match self.socket.recv(&mut buffer) {
            Ok(length) => Ok(buffer.get(..length).map(<[u8]>::to_vec)),
            Err(error) => match error.kind() {
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => Ok(None),
                _ => Err(error).context("the device does not listen"),
            },
        }
    }
}

/// That of a confirmable message.
fn header(mid: u16, token: &[u8]) -> Header<'_> {
    Header {
        kind: Kind::Confirmable,
        mid,
        token,
    }
}
