//! A client of one device: whole requests over a [`Session`], in blocks where
//! they are long (RFC 7959).

use std::sync::Arc;

use sealift_oscore::{Credential, Identity};
use sealift_wire::{CONFIRM, ComponentStatus, DeviceStatus, ROLLBACK, VM_CONTROL, VM_RUN};

use crate::address::Address;
use crate::blocks::{BlockError, BlockSize, Download, Upload};
use crate::error::Error;
use crate::exchange::Params;
use crate::link::Traffic;
use crate::request::{Code, Method, Request, Response, is_success};
use crate::session::{BlockPart, Incoming, Outgoing, Session};
use crate::transport::{Transport, Udp};

/// How often an answer that changes while it is read is asked for once more.
const CHANGES: u32 = 3;

/// How a client goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Retransmission.
    pub params: Params,
    /// Size of the blocks that are sent, until the device asks for smaller ones.
    pub block_size: BlockSize,
    /// How often a push is resumed, over a new association, after the link or
    /// the device failed, without getting any further. Whenever it got further
    /// than ever before, this is counted anew.
    pub resume_tries: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            params: Params::default(),
            block_size: BlockSize::MAX,
            resume_tries: 3,
        }
    }
}

/// An association with one device, authenticated both ways.
pub struct Client<T: Transport = Udp> {
    pub(crate) config: Config,
    pub(crate) session: Session<T>,
}

impl Client {
    /// Runs EDHOC with the device at `address`, as `identity`. The device must
    /// hold the private key of `peer`.
    ///
    /// # Errors
    ///
    /// [`Error::WrongDevice`] where it does not hold it,
    /// [`Error::CredentialRefused`] where it does not know ours, and link
    /// failures.
    pub fn connect(
        address: &Address,
        identity: impl Into<Arc<Identity>>,
        peer: Credential,
        config: Config,
    ) -> Result<Self, Error> {
        Self::connect_over(Udp::open(address)?, identity, peer, config)
    }
}

impl<T: Transport> Client<T> {
    /// As [`Client::connect`], over any transport.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn connect_over(
        transport: T,
        identity: impl Into<Arc<Identity>>,
        peer: Credential,
        config: Config,
    ) -> Result<Self, Error> {
        let session = Session::open(transport, identity.into(), peer, config.params)?;
        Ok(Self { config, session })
    }

    /// Drops the association and makes a new one, from a new address.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn reconnect(&mut self) -> Result<(), Error> {
        self.session.reopen()
    }

    /// What went over the link since the client was made.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.session.traffic()
    }

    /// Sends a request and returns the response whatever its code.
    ///
    /// A device that restarted since the last request, or ended the association, does
    /// not know it any more. The client makes a new one by itself, and sends the request
    /// again where it is idempotent. Where it is not, that is an error, which another
    /// request ahead of it avoids, such as one for the status.
    ///
    /// # Errors
    ///
    /// Where there is no response, or one that makes no sense; [`Error::Uncertain`].
    pub fn request(&mut self, request: &Request) -> Result<Response, Error> {
        let mut left = CHANGES;
        loop {
            let renewals = self.session.renewals();
            let mut incoming = self.upload(request)?;
            if incoming.code == Code::INCOMPLETE && self.session.renewals() != renewals {
                // The device lost its memory in the middle of the body.
                incoming = self.upload(request)?;
            }
            match self.download(request, incoming) {
                Err(Error::Blocks(BlockError::Changed))
                    if left > 0 && request.method.is_idempotent() =>
                {
                    log::info!("the answer changed while it was read: starting over");
                    left -= 1;
                }
                result => return result,
            }
        }
    }

    /// As [`Client::request`], with a response code of error as an error.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], and those of [`Client::request`].
    pub fn expect(&mut self, request: &Request) -> Result<Response, Error> {
        let response = self.request(request)?;
        if is_success(response.code) {
            Ok(response)
        } else {
            Err(response.refusal())
        }
    }

    /// The links of `/.well-known/core` (RFC 6690), one after the other.
    ///
    /// # Errors
    ///
    /// As [`Client::expect`].
    pub fn discover(&mut self) -> Result<Vec<String>, Error> {
        let response = self.expect(&Request::new(Method::Get, "/.well-known/core"))?;
        let text = String::from_utf8(response.payload)
            .map_err(|_| Error::Protocol("the links are not UTF-8"))?;
        Ok(split_links(&text))
    }

    /// What the device says of itself and all its components.
    ///
    /// # Errors
    ///
    /// As [`Client::expect`].
    pub fn device_status(&mut self) -> Result<DeviceStatus, Error> {
        let response = self.expect(&control(Method::Get, &[]))?;
        DeviceStatus::from_cbor(&response.payload)
            .map_err(|_| Error::Protocol("not a status of the device"))
    }

    /// What the device says of one component.
    ///
    /// # Errors
    ///
    /// As [`Client::expect`].
    pub fn component_status(&mut self, component: &str) -> Result<ComponentStatus, Error> {
        let response = self.expect(&control(Method::Get, &[component]))?;
        ComponentStatus::from_cbor(&response.payload)
            .map_err(|_| Error::Protocol("not a status of a component"))
    }

    /// Makes the trial of a component the confirmed capsule.
    ///
    /// # Errors
    ///
    /// As [`Client::expect`].
    pub fn confirm(&mut self, component: &str) -> Result<Option<ComponentStatus>, Error> {
        self.act(&control(Method::Post, &[component, CONFIRM]))
    }

    /// Puts the previous confirmed capsule of a component back.
    ///
    /// # Errors
    ///
    /// As [`Client::expect`].
    pub fn rollback(&mut self, component: &str) -> Result<Option<ComponentStatus>, Error> {
        self.act(&control(Method::Post, &[component, ROLLBACK]))
    }

    /// Stops and removes the capsule of a component.
    ///
    /// # Errors
    ///
    /// As [`Client::expect`].
    pub fn remove(&mut self, component: &str) -> Result<Option<ComponentStatus>, Error> {
        self.act(&control(Method::Delete, &[component]))
    }

    /// Runs an ephemeral capsule to its end; returns its output. The body of the
    /// request is the envelope, one CBOR item with the payload in it, and then
    /// the input.
    ///
    /// # Errors
    ///
    /// As [`Client::expect`].
    pub fn run(&mut self, envelope: &[u8], input: &[u8]) -> Result<Vec<u8>, Error> {
        let request = Request::new(Method::Post, VM_RUN).with_payload([envelope, input].concat());
        Ok(self.expect(&request)?.payload)
    }

    /// A request whose answer may carry the component's new status.
    fn act(&mut self, request: &Request) -> Result<Option<ComponentStatus>, Error> {
        let response = self.expect(request)?;
        Ok(ComponentStatus::from_cbor(&response.payload).ok())
    }

    fn upload(&mut self, request: &Request) -> Result<Incoming, Error> {
        let upload = Upload::new(request.payload.len(), self.config.block_size);
        let sent = self.send_blocks(request, upload, Body::Request, &mut |_| Ok(()))?;
        if is_success(sent.response.code) && !sent.complete {
            return Err(Error::Protocol("it is done before it had everything"));
        }
        Ok(sent.response)
    }

    /// Sends the blocks of a body, from where `upload` stands, until the device
    /// answers with anything but 2.31 Continue. `after` is told of each block what
    /// became of it.
    pub(crate) fn send_blocks(
        &mut self,
        request: &Request,
        mut upload: Upload,
        body: Body,
        after: &mut dyn FnMut(BlockSent) -> Result<(), Error>,
    ) -> Result<Sent, Error> {
        let mut first = true;
        loop {
            let block = upload.block()?;
            let payload = request.payload.get(block.range.clone()).unwrap_or(&[]);
            let part = BlockPart {
                num: block.num,
                more: block.more,
                size: block.size,
            };
            let alone = block.num == 0 && !block.more && body != Body::Payload;
            let answer = self.session.send(&Outgoing {
                request,
                block1: (!alone).then_some(part),
                block2: self.wanted_block2(request),
                size1: (first && !alone).then_some(request.payload.len()),
                payload,
                renew: body == Body::Request,
            });
            let mut sent = BlockSent {
                range: block.range,
                times: self.session.attempts(),
                taken: false,
                last: false,
            };
            let response = match answer {
                Ok(response) => response,
                Err(error) => {
                    after(sent)?;
                    return Err(error);
                }
            };
            first = false;
            let echoed = response.block1;
            let wanted = echoed.map(|part| part.size);
            if response.code == Code::TOO_LARGE && upload.too_large(wanted) {
                log::debug!("the device wants smaller blocks");
                after(sent)?;
                continue;
            }
            if response.code == Code::CONTINUE && !block.more {
                return Err(Error::Protocol("it asks for more than there is"));
            }
            if is_success(response.code) {
                if echoed.is_some_and(|part| part.num != block.num) {
                    return Err(Error::Protocol("it acknowledges another block"));
                }
                sent.taken = true;
                sent.last = response.code != Code::CONTINUE;
            }
            after(sent)?;
            if response.code != Code::CONTINUE {
                return Ok(Sent {
                    response,
                    complete: !block.more,
                });
            }
            upload.accepted(wanted);
        }
    }

    /// Asks for small blocks where small ones are sent.
    fn wanted_block2(&self, request: &Request) -> Option<BlockPart> {
        let small = self.config.block_size < BlockSize::MAX;
        (small && request.method == Method::Get).then_some(BlockPart {
            num: 0,
            more: false,
            size: self.config.block_size,
        })
    }

    fn download(&mut self, request: &Request, first: Incoming) -> Result<Response, Error> {
        let code = first.code;
        let content_format = first.content_format;
        let advice = first.advice;
        let mut download = Download::default();
        let mut incoming = first;
        loop {
            let part = incoming.block2.map(|part| (part.num, part.more, part.size));
            let next = download.take(part, incoming.etag.as_deref(), &incoming.payload)?;
            let Some((num, size)) = next else {
                return Ok(Response {
                    code,
                    content_format,
                    advice,
                    payload: download.into_body(),
                });
            };
            incoming = self.session.send(&Outgoing {
                request,
                block1: None,
                block2: Some(BlockPart {
                    num,
                    more: false,
                    size,
                }),
                size1: None,
                payload: &[],
                renew: true,
            })?;
            if !is_success(incoming.code) {
                return Err(incoming.refusal());
            }
            if incoming.code != code {
                return Err(Error::Protocol("the code of the answer changed"));
            }
        }
    }
}

/// What a body is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Any request. Where the device loses the security context, or never answers what
    /// it has acknowledged, the block is sent anew.
    Request,
    /// A push. Then it is not: the status tells which block the device needs next, or
    /// that it has them all.
    Envelope,
    /// As that, and a body of one block has a Block1 option all the same.
    Payload,
}

/// A block that was sent.
pub(crate) struct BlockSent {
    /// Which bytes of the body.
    pub(crate) range: std::ops::Range<usize>,
    /// How often, retransmissions of the same message aside.
    pub(crate) times: u32,
    /// Whether the device took it.
    pub(crate) taken: bool,
    /// Whether the device is done with the request.
    pub(crate) last: bool,
}

/// How sending a body ended.
pub(crate) struct Sent {
    pub(crate) response: Incoming,
    /// Whether the device had the whole body when it answered.
    pub(crate) complete: bool,
}

pub(crate) fn control(method: Method, segments: &[&str]) -> Request {
    let mut request = Request::new(method, VM_CONTROL);
    request
        .path
        .extend(segments.iter().map(|&segment| segment.to_owned()));
    request
}

/// Cuts a link-format document at the commas that are not inside quotes or
/// angle brackets.
fn split_links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut link = String::new();
    let (mut quoted, mut escaped, mut target) = (false, false, false);
    for c in text.chars() {
        match c {
            ',' if !quoted && !target => {
                links.push(std::mem::take(&mut link));
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            '<' if !quoted => target = true,
            '>' if !quoted => target = false,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        link.push(c);
    }
    if !link.is_empty() {
        links.push(link);
    }
    links
}

#[cfg(test)]
mod tests {
    use super::split_links;

    #[test]
    fn links_are_split_at_commas_outside_quotes() {
        assert_eq!(
            split_links(r#"</a>;if="x,y",</b,c>;title="\",",</d>"#),
            [r#"</a>;if="x,y""#, r#"</b,c>;title="\",""#, "</d>"]
        );
        assert!(split_links("").is_empty());
    }
}
