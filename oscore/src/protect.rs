//! Protecting and unprotecting messages (RFC 8613 sections 4 to 8).
//!
//! Everything the application writes goes inside (class E), Block options too;
//! outside are only the header, the OSCORE option and the outer code POST or
//! 2.04. On receipt only what is inside counts; outer options are ignored.
//!
//! A response usually has no Partial IV of its own and takes the nonce of its
//! request. That is safe for exactly one response, so the [`Binding`] that
//! [`SecurityContext::unprotect_request`] gives out is used up by
//! [`SecurityContext::protect_response`]; any further response takes a fresh
//! sequence number. A retransmission has to send the same bytes again.

use crate::coap::{self, Code, Header, Inner, Message, Writer, number};
use crate::context::{ALGORITHM, Id, PartialIv, SecurityContext, TAG, push_string};
use crate::{Error, MAX_DATAGRAM};
use heapless::Vec;

/// The value of an OSCORE option (section 6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OscoreOption<'a> {
    /// Partial IV.
    pub partial_iv: Option<PartialIv>,
    /// ID Context of the sender.
    pub kid_context: Option<&'a [u8]>,
    /// Identifier of the sender.
    pub kid: Option<&'a [u8]>,
}

const FLAG_KID: u8 = 0x08;
const FLAG_CONTEXT: u8 = 0x10;
const FLAGS_RESERVED: u8 = 0xe0;

impl<'a> OscoreOption<'a> {
    /// Reads the value of the option, strictly.
    ///
    /// # Errors
    /// Reserved flags, missing or left over bytes, a Partial IV that is not in
    /// its shortest form.
    pub fn decode(value: &'a [u8]) -> Result<Self, Error> {
        let Some((&flags, rest)) = value.split_first() else {
            return Ok(Self::default());
        };
        if flags & FLAGS_RESERVED != 0 || value.len() > 255 {
            return Err(Error::OptionFlags);
        }
        if flags == 0 {
            // All zero has to be sent as an empty value.
            return Err(Error::OptionLength);
        }
        let length = usize::from(flags & 0x07);
        if length > 5 {
            return Err(Error::PartialIv);
        }
        let (piv, rest) = rest.split_at_checked(length).ok_or(Error::OptionLength)?;
        let partial_iv = match piv {
            [] => None,
            bytes => Some(PartialIv::decode(bytes)?),
        };
        let (kid_context, rest) = if flags & FLAG_CONTEXT == 0 {
            (None, rest)
        } else {
            let (&length, rest) = rest.split_first().ok_or(Error::OptionLength)?;
            let (context, rest) = rest
                .split_at_checked(usize::from(length))
                .ok_or(Error::OptionLength)?;
            (Some(context), rest)
        };
        let kid = match (flags & FLAG_KID != 0, rest) {
            (true, kid) => Some(kid),
            (false, []) => None,
            (false, _) => return Err(Error::OptionLength),
        };
        Ok(Self {
            partial_iv,
            kid_context,
            kid,
        })
    }

    /// The OSCORE option of a message.
    ///
    /// # Errors
    /// [`Error::NotProtected`] when there is none, otherwise as [`OscoreOption::decode`].
    pub fn of(message: &Message<'a>) -> Result<Self, Error> {
        let value = coap::single(&message.options, number::OSCORE)?;
        Self::decode(value.ok_or(Error::NotProtected)?)
    }

    fn encode(&self) -> Result<Vec<u8, 32>, Error> {
        let mut value = Vec::new();
        if self.partial_iv.is_none() && self.kid_context.is_none() && self.kid.is_none() {
            return Ok(value);
        }
        let piv = self
            .partial_iv
            .as_ref()
            .map_or(&[] as &[u8], PartialIv::as_bytes);
        let mut flags = u8::try_from(piv.len()).map_err(|_| Error::Internal)?;
        flags |= if self.kid_context.is_some() {
            FLAG_CONTEXT
        } else {
            0
        };
        flags |= if self.kid.is_some() { FLAG_KID } else { 0 };
        let mut put = |bytes: &[u8]| value.extend_from_slice(bytes).map_err(|_| Error::Internal);
        put(&[flags])?;
        put(piv)?;
        if let Some(context) = self.kid_context {
            put(&[u8::try_from(context.len()).map_err(|_| Error::Internal)?])?;
            put(context)?;
        }
        put(self.kid.unwrap_or_default())?;
        Ok(value)
    }
}

/// The request that a response is bound to: whose it is and its number.
#[derive(Debug, PartialEq, Eq)]
struct RequestName {
    kid: Id,
    piv: PartialIv,
}

/// A request that has been received and not yet answered. Answering uses it up.
#[derive(Debug)]
#[must_use = "a request that is not answered leaves its sender waiting"]
pub struct Binding(RequestName);

impl Binding {
    /// The sequence number of the request.
    pub(crate) fn sequence(&self) -> u64 {
        self.0.piv.sequence()
    }
}

/// A request that has been answered; any further response takes a fresh number.
#[derive(Debug)]
pub struct Answered(RequestName);

/// A request that has been sent: what its response has to be bound to.
#[derive(Debug)]
pub struct Sent(RequestName);

impl SecurityContext {
    /// Writes a protected request into `out`: `build` writes options and payload.
    /// Returns the length of the datagram and what its response is bound to.
    ///
    /// # Errors
    /// When it does not fit, or the sequence numbers are used up.
    pub fn protect_request(
        &mut self,
        header: Header<'_>,
        code: Code,
        build: impl FnOnce(&mut Writer<'_>) -> Result<(), coap::Error>,
        out: &mut [u8],
    ) -> Result<(usize, Sent), Error> {
        let piv = PartialIv::new(self.sequence())?;
        let kid = Id::from_slice(self.sender_id()).map_err(|_| Error::Identifiers)?;
        let option = OscoreOption {
            partial_iv: Some(piv),
            kid_context: self.id_context(),
            kid: Some(&kid),
        };
        let mut draft = Draft::write(header, Code::POST, &option, code, build, out)?;
        // From here on the number is spent.
        let piv = self.take_sequence()?;
        let name = RequestName { kid, piv };
        let nonce = self.sender_nonce(&piv);
        let length = draft.seal(self, &nonce, &name)?;
        Ok((length, Sent(name)))
    }

    /// Checks and decrypts a request: `option` is its OSCORE option and
    /// `ciphertext` its payload. The plaintext is put into `scratch`. The number
    /// of the request is taken as received only when it is authentic.
    ///
    /// # Errors
    /// One variant for each check that failed. The context is then unchanged,
    /// unless the request was authentic but malformed inside.
    pub fn unprotect_request<'s>(
        &mut self,
        option: &OscoreOption<'_>,
        ciphertext: &[u8],
        scratch: &'s mut [u8],
    ) -> Result<(Inner<'s>, Binding), Error> {
        let piv = option.partial_iv.ok_or(Error::PartialIv)?;
        let kid = option.kid.ok_or(Error::KeyId)?;
        if kid != self.recipient_id() {
            return Err(Error::KeyId);
        }
        if option.kid_context.is_some() && option.kid_context != self.id_context() {
            return Err(Error::NoContext);
        }
        self.window().check(&piv)?;
        let name = RequestName {
            kid: Id::from_slice(kid).map_err(|_| Error::KeyId)?,
            piv,
        };
        let nonce = self.recipient_nonce(&piv);
        let plaintext = self.open_into(&nonce, &name, ciphertext, scratch)?;
        self.window_mut().commit(&piv);
        let inner = Inner::parse(plaintext)?;
        if !inner.code.is_request() {
            return Err(Error::InnerCode);
        }
        Ok((inner, Binding(name)))
    }

    /// Writes the response to a request into `out`, with the nonce of the request.
    ///
    /// # Errors
    /// When `build` fails or it does not fit: nothing was encrypted, and the
    /// binding comes back, for another answer.
    pub fn protect_response(
        &mut self,
        binding: Binding,
        header: Header<'_>,
        code: Code,
        build: impl FnOnce(&mut Writer<'_>) -> Result<(), coap::Error>,
        out: &mut [u8],
    ) -> Result<(usize, Answered), (Error, Binding)> {
        let option = OscoreOption::default();
        let mut draft = match Draft::write(header, Code::CHANGED, &option, code, build, out) {
            Ok(draft) => draft,
            Err(error) => return Err((error, binding)),
        };
        let nonce = self.recipient_nonce(&binding.0.piv);
        match draft.seal(self, &nonce, &binding.0) {
            Ok(length) => Ok((length, Answered(binding.0))),
            Err(error) => Err((error, binding)),
        }
    }

    /// Writes one more response to a request into `out`, with a number of its own.
    ///
    /// # Errors
    /// When it does not fit, or the sequence numbers are used up.
    pub fn protect_further_response(
        &mut self,
        answered: &Answered,
        header: Header<'_>,
        code: Code,
        build: impl FnOnce(&mut Writer<'_>) -> Result<(), coap::Error>,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let option = OscoreOption {
            partial_iv: Some(PartialIv::new(self.sequence())?),
            ..OscoreOption::default()
        };
        let mut draft = Draft::write(header, Code::CHANGED, &option, code, build, out)?;
        let piv = self.take_sequence()?;
        let nonce = self.sender_nonce(&piv);
        draft.seal(self, &nonce, &answered.0)
    }

    /// Checks and decrypts the response to a request. It changes nothing, so after
    /// a forged one the genuine one can still be taken.
    ///
    /// # Errors
    /// One variant for each check that failed.
    pub fn unprotect_response<'s>(
        &self,
        sent: &Sent,
        message: &Message<'_>,
        scratch: &'s mut [u8],
    ) -> Result<Inner<'s>, Error> {
        let option = OscoreOption::of(message)?;
        if !message.code.is_response() {
            return Err(Error::NotTheResponse);
        }
        if option.kid.is_some_and(|kid| kid != self.recipient_id()) {
            return Err(Error::KeyId);
        }
        if option.kid_context.is_some() && option.kid_context != self.id_context() {
            return Err(Error::NoContext);
        }
        let nonce = match &option.partial_iv {
            Some(piv) => self.recipient_nonce(piv),
            None => self.sender_nonce(&sent.0.piv),
        };
        let plaintext = self.open_into(&nonce, &sent.0, message.payload, scratch)?;
        let inner = Inner::parse(plaintext)?;
        if !inner.code.is_response() {
            return Err(Error::InnerCode);
        }
        Ok(inner)
    }

    fn open_into<'s>(
        &self,
        nonce: &[u8; 13],
        request: &RequestName,
        ciphertext: &[u8],
        scratch: &'s mut [u8],
    ) -> Result<&'s [u8], Error> {
        let (text, tag) = ciphertext
            .split_last_chunk::<TAG>()
            .ok_or(Error::CiphertextLength)?;
        if text.is_empty() {
            return Err(Error::CiphertextLength);
        }
        let plaintext = scratch
            .get_mut(..text.len())
            .ok_or(coap::Error::BufferFull)?;
        plaintext.copy_from_slice(text);
        self.open(nonce, &additional_data(request)?, plaintext, tag)?;
        Ok(plaintext)
    }
}

/// A message whose inner part is in place, but not yet encrypted.
struct Draft<'b> {
    out: &'b mut [u8],
    start: usize,
    end: usize,
}

impl<'b> Draft<'b> {
    fn write(
        header: Header<'_>,
        outer: Code,
        option: &OscoreOption<'_>,
        code: Code,
        build: impl FnOnce(&mut Writer<'_>) -> Result<(), coap::Error>,
        out: &'b mut [u8],
    ) -> Result<Self, Error> {
        let limit = out.len().min(MAX_DATAGRAM);
        let out = out.get_mut(..limit).unwrap_or_default();
        let full = coap::Error::BufferFull;
        let mut writer = Writer::message(out, header, outer)?;
        writer.option(number::OSCORE, &option.encode()?)?;
        let marker = writer.finish();
        *out.get_mut(marker).ok_or(full)? = coap::PAYLOAD_MARKER;
        let start = marker.checked_add(1).ok_or(full)?;
        let last = limit.checked_sub(TAG).ok_or(full)?;
        let space = out.get_mut(start..last).ok_or(full)?;
        let mut inner = Writer::inner(space, code)?;
        build(&mut inner)?;
        let end = start.checked_add(inner.finish()).ok_or(full)?;
        Ok(Self { out, start, end })
    }

    fn seal(
        &mut self,
        context: &SecurityContext,
        nonce: &[u8; 13],
        request: &RequestName,
    ) -> Result<usize, Error> {
        let text = self
            .out
            .get_mut(self.start..self.end)
            .ok_or(Error::Internal)?;
        let tag = context.seal(nonce, &additional_data(request)?, text)?;
        let length = self.end.checked_add(TAG).ok_or(Error::Internal)?;
        self.out
            .get_mut(self.end..length)
            .ok_or(Error::Internal)?
            .copy_from_slice(&tag);
        Ok(length)
    }
}

/// The `Enc_structure` around the external AAD (section 5.4).
fn additional_data(request: &RequestName) -> Result<Vec<u8, 48>, Error> {
    let full = |_| Error::Internal;
    let mut external: Vec<u8, 23> = Vec::new();
    external
        .extend_from_slice(&[0x85, 1, 0x81, ALGORITHM])
        .map_err(full)?;
    push_string(&mut external, 0x40, &request.kid)?;
    push_string(&mut external, 0x40, request.piv.as_bytes())?;
    push_string(&mut external, 0x40, &[])?;
    let mut aad = Vec::new();
    aad.extend_from_slice(&[0x83]).map_err(full)?;
    push_string(&mut aad, 0x60, b"Encrypt0")?;
    push_string(&mut aad, 0x40, &[])?;
    push_string(&mut aad, 0x40, &external)?;
    Ok(aad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coap::Kind;
    use crate::context::Parameters;

    fn context(sender_id: &[u8], recipient_id: &[u8]) -> SecurityContext {
        SecurityContext::derive(&Parameters {
            master_secret: &[1; 16],
            master_salt: &[],
            sender_id,
            recipient_id,
            id_context: None,
        })
        .unwrap()
    }

    const HEADER: Header<'_> = Header {
        kind: Kind::Confirmable,
        mid: 1,
        token: &[],
    };

    #[test]
    fn request_for_another_context_is_refused() {
        let mut server = context(&[2], &[1]);
        let (mut out, mut scratch) = ([0; 100], [0; 100]);
        let (length, _) = context(&[1], &[2])
            .protect_request(HEADER, Code::GET, |_| Ok(()), &mut out)
            .unwrap();
        let message = Message::parse(&out[..length]).unwrap();
        let good = OscoreOption::of(&message).unwrap();
        for (option, error) in [
            (
                OscoreOption {
                    kid: Some(&[3]),
                    ..good
                },
                Error::KeyId,
            ),
            (OscoreOption { kid: None, ..good }, Error::KeyId),
            (
                OscoreOption {
                    partial_iv: None,
                    ..good
                },
                Error::PartialIv,
            ),
            (
                OscoreOption {
                    kid_context: Some(&[]),
                    ..good
                },
                Error::NoContext,
            ),
        ] {
            let refused = server.unprotect_request(&option, message.payload, &mut scratch);
            assert_eq!(refused.map(|_| ()).unwrap_err(), error);
        }
        for length in 0..=TAG {
            let refused = server.unprotect_request(&good, &message.payload[..length], &mut scratch);
            assert_eq!(refused.map(|_| ()).unwrap_err(), Error::CiphertextLength);
        }
        assert!(
            server
                .unprotect_request(&good, message.payload, &mut scratch)
                .is_ok()
        );
    }

    #[test]
    fn sequence_numbers_end_and_are_not_spent_on_what_was_not_sent() {
        let mut client = context(&[1], &[2]);
        let mut out = [0; 100];
        let too_long = client.protect_request(HEADER, Code::PUT, |w| w.payload(&[0; 99]), &mut out);
        assert_eq!(too_long.unwrap_err(), Error::Coap(coap::Error::BufferFull));
        assert_eq!(client.sequence(), 0);
        client.set_sequence((1 << 40) - 1);
        let last = client.protect_request(HEADER, Code::GET, |_| Ok(()), &mut out);
        assert!(last.is_ok());
        let none = client.protect_request(HEADER, Code::GET, |_| Ok(()), &mut out);
        assert_eq!(none.unwrap_err(), Error::SequenceExhausted);
    }

    #[test]
    fn largest_block_fits_a_datagram() {
        let mut client = context(&[1], &[2]);
        let header = Header {
            token: &[1; 8],
            ..HEADER
        };
        let mut out = [0; 2000];
        let block = coap::BlockOption {
            num: 9999,
            more: true,
            szx: 6,
        };
        let (length, _) = client
            .protect_request(
                header,
                Code::PUT,
                |w| {
                    w.uri_path("/vm-control/a-long-component-name/payload")?;
                    w.uint(number::CONTENT_FORMAT, 65000)?;
                    w.block(number::BLOCK1, block)?;
                    w.uint(number::SIZE1, u32::MAX)?;
                    w.payload(&[0; 1024])
                },
                &mut out,
            )
            .unwrap();
        assert!(length <= MAX_DATAGRAM);
        // However large the buffer, nothing longer is made.
        let too_long =
            client.protect_request(header, Code::PUT, |w| w.payload(&[0; 1300]), &mut out);
        assert!(too_long.is_err());
    }
}
