//! Checks that come before `lakers` sees a message.
//!
//! Version 0.8.0 of lakers and of its crypto backend panic on some messages that
//! anybody can send: an ephemeral key that is no point of the curve, an empty
//! list of suites, a connection identifier of 8 bytes or more, a message_3 shorter
//! than its own length or than a tag, container lengths that overflow a counter,
//! and external authorization data that does not fit a transcript. Each is refused here, and
//! what only shows after decryption is refused inside [`Guarded`].

use crate::credential::decompress;
use crate::{Error, MAX_EDHOC};
use heapless::Vec;
use lakers::{
    AES_CCM_TAG_LEN, BufferCiphertext3, BufferPlaintext3, BytesCcmIvLen, BytesCcmKeyLen,
    BytesHashLen, BytesMaxBuffer, BytesMaxInfoBuffer, BytesP256ElemLen, CryptoTrait, EADItem,
    EDHOCError, EdhocMessageBuffer,
};
use lakers_crypto_rustcrypto::Crypto;
use rand_core::CryptoRngCore;

/// Longest context that lakers can hash into a MAC: it has one byte for the length.
const MAX_CONTEXT: usize = 255;
/// Longest transcript (hash, plaintext, credential) that lakers has room for.
const MAX_TRANSCRIPT: usize = lakers::MAX_BUFFER_LEN;
/// A hash as a CBOR byte string.
const HASH: usize = 34;

/// Checks the shape of message_1, its method, its suite and its ephemeral key.
pub(super) fn message_1(bytes: &[u8]) -> Result<EdhocMessageBuffer, Error> {
    let (method, rest) = item(bytes)?;
    if method != [3] {
        return Err(Error::EdhocMethod);
    }
    // One suite, or a list of at least two of which the last one is selected.
    let (suites, rest) = item(rest)?;
    let selected = match suites {
        [0x82..=0x89, list @ ..] => last_item(list)?,
        [0x80..=0x9f, ..] => return Err(Error::EdhocMessage),
        one => one,
    };
    if selected != [2] {
        return Err(Error::EdhocSuite);
    }
    let (key, rest) = item(rest)?;
    let Some(x) = key.strip_prefix(&[0x58, 0x20]) else {
        return Err(Error::EdhocMessage);
    };
    check_point(x)?;
    let (_c_i, rest) = connection_id(rest)?;
    external_items(rest)?;
    EdhocMessageBuffer::new_from_slice(bytes).map_err(|_| Error::EdhocMessage)
}

/// Checks the shape of message_2 and its ephemeral key; also gives its ciphertext.
pub(super) fn message_2(bytes: &[u8]) -> Result<(EdhocMessageBuffer, Ciphertext2), Error> {
    if let Some(code) = error_code(bytes) {
        return Err(Error::PeerRefused(code));
    }
    let value = only_byte_string(bytes)?;
    let (x, ciphertext) = value.split_at_checked(32).ok_or(Error::EdhocMessage)?;
    check_point(x)?;
    let ciphertext = Ciphertext2::from_slice(ciphertext).map_err(|_| Error::EdhocMessage)?;
    let message = EdhocMessageBuffer::new_from_slice(bytes).map_err(|_| Error::EdhocMessage)?;
    Ok((message, ciphertext))
}

/// Checks the shape of message_3: one byte string. That it holds more than a tag
/// is checked where it is decrypted.
pub(super) fn message_3(bytes: &[u8]) -> Result<EdhocMessageBuffer, Error> {
    only_byte_string(bytes)?;
    EdhocMessageBuffer::new_from_slice(bytes).map_err(|_| Error::EdhocMessage)
}

/// Whether the MAC context and the transcript with these parts fit lakers' buffers.
/// `plaintext` is the length of the decrypted message.
pub(super) fn transcript_fits(
    connection: usize,
    id_cred: usize,
    credential: usize,
    external: Option<&EADItem>,
    plaintext: usize,
) -> Result<(), Error> {
    let external = external.map_or(0, |item| {
        item.value.as_ref().map_or(0, |v| v.len).saturating_add(1)
    });
    let context = connection
        .saturating_add(id_cred)
        .saturating_add(HASH)
        .saturating_add(credential)
        .saturating_add(external);
    let transcript = HASH.saturating_add(plaintext).saturating_add(credential);
    if context > MAX_CONTEXT || transcript > MAX_TRANSCRIPT {
        return Err(Error::EdhocMessage);
    }
    Ok(())
}

/// Checks external authorization data: labels, each with a byte string or without.
/// lakers reads one item and takes all that follows for its value, so that a
/// critical item after it would go unseen. None is known here.
fn external_items(mut rest: &[u8]) -> Result<(), Error> {
    while !rest.is_empty() {
        let (label, after) = item(rest)?;
        match label {
            [0x00..=0x17] => {}
            [0x20..=0x38, ..] => return Err(Error::EdhocExternal),
            _ => return Err(Error::EdhocMessage),
        }
        rest = match after {
            [0x40..=0x5f, ..] => item(after)?.1,
            _ => after,
        };
    }
    Ok(())
}

fn check_point(x: &[u8]) -> Result<(), Error> {
    let x: &[u8; 32] = x.try_into().map_err(|_| Error::EdhocMessage)?;
    decompress(x).map(|_| ()).ok_or(Error::EdhocKey)
}

/// The ERR_CODE when this is an error message (RFC 9528 section 6).
fn error_code(bytes: &[u8]) -> Option<i16> {
    let value = match *bytes {
        [n @ 0..=0x17, ..] | [0x18, n, ..] => i16::from(n),
        [0x19, high, low, ..] => i16::from_be_bytes([high & 0x7f, low]),
        [n @ 0x20..=0x37, ..] => 0x1f_i16.wrapping_sub(i16::from(n)),
        _ => return None,
    };
    Some(value)
}

/// The content of a byte string that is the whole of `bytes`.
fn only_byte_string(bytes: &[u8]) -> Result<&[u8], Error> {
    let (length, value) = match bytes {
        [head @ 0x40..=0x57, value @ ..] => (head & 0x1f, value),
        [0x58, length @ 24..=255, value @ ..] => (*length, value),
        _ => return Err(Error::EdhocMessage),
    };
    if value.len() != usize::from(length) {
        return Err(Error::EdhocMessage);
    }
    Ok(value)
}

/// Splits the first CBOR item off: arguments up to 255, definite lengths.
pub(super) fn item(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let mut rest = bytes;
    let mut due = 1_usize;
    // Each round takes at least one byte, so this ends.
    while let Some(left) = due.checked_sub(1) {
        let (&head, tail) = rest.split_first().ok_or(Error::EdhocMessage)?;
        let (argument, tail) = match (head & 0x1f, tail) {
            (argument @ 0..=23, tail) => (argument, tail),
            (24, [argument, tail @ ..]) => (*argument, tail),
            _ => return Err(Error::EdhocMessage),
        };
        let argument = usize::from(argument);
        (due, rest) = match head >> 5 {
            2 | 3 => {
                let (_, tail) = tail.split_at_checked(argument).ok_or(Error::EdhocMessage)?;
                (left, tail)
            }
            4 => (left.saturating_add(argument), tail),
            5 => (left.saturating_add(argument.saturating_mul(2)), tail),
            6 => (left.saturating_add(1), tail),
            _ => (left, tail),
        };
    }
    let length = bytes.len().saturating_sub(rest.len());
    bytes.split_at_checked(length).ok_or(Error::EdhocMessage)
}

/// Splits a connection identifier off: its content, and the rest. It is a short
/// integer or a byte string of at most 7 bytes (which is all that OSCORE can use).
pub(super) fn connection_id(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    match item(bytes)? {
        (id @ [0x00..=0x17 | 0x20..=0x37], rest) => Ok((id, rest)),
        ([0x40..=0x47, id @ ..], rest) => Ok((id, rest)),
        _ => Err(Error::EdhocMessage),
    }
}

fn last_item(mut list: &[u8]) -> Result<&[u8], Error> {
    loop {
        let (first, rest) = item(list)?;
        if rest.is_empty() {
            return Ok(first);
        }
        list = rest;
    }
}

/// Checks a plaintext: a credential identifier that lakers can read (a short
/// integer, a byte string of at most 8 bytes, or a claims set by value), a MAC,
/// external authorization data.
fn check_plaintext(bytes: &[u8]) -> Result<(), Error> {
    let (id_cred, rest) = item(bytes)?;
    match id_cred {
        [0x00..=0x17 | 0x20..=0x37] | [0x40..=0x48, ..] | [0xa1, 0x0e, ..] => {}
        _ => return Err(Error::EdhocMessage),
    }
    let (mac, rest) = item(rest)?;
    if mac.len() != 9 || mac.first() != Some(&0x48) {
        return Err(Error::EdhocMessage);
    }
    external_items(rest)
}

/// Ciphertext of message_2.
pub(super) type Ciphertext2 = Vec<u8, MAX_EDHOC>;

/// lakers' crypto backend, with the plaintexts checked that it decrypts.
pub(super) struct Guarded<'r, R: CryptoRngCore> {
    inner: Crypto<&'r mut R>,
    ciphertext_2: Option<Ciphertext2>,
    /// Why the plaintext of message_2 was spoilt.
    pub(super) error: Option<Error>,
}

impl<'r, R: CryptoRngCore> Guarded<'r, R> {
    pub(super) fn new(rng: &'r mut R) -> Self {
        Self {
            inner: Crypto::new(rng),
            ciphertext_2: None,
            error: None,
        }
    }

    /// For parsing a message_2 with this ciphertext: its plaintext is checked when
    /// the key stream for it is derived.
    pub(super) fn for_message_2(rng: &'r mut R, ciphertext: Ciphertext2) -> Self {
        Self {
            inner: Crypto::new(rng),
            ciphertext_2: Some(ciphertext),
            error: None,
        }
    }
}

impl<R: CryptoRngCore> core::fmt::Debug for Guarded<'_, R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Guarded")
    }
}

impl<R: CryptoRngCore> CryptoTrait for Guarded<'_, R> {
    fn sha256_digest(&mut self, message: &BytesMaxBuffer, message_len: usize) -> BytesHashLen {
        self.inner.sha256_digest(message, message_len)
    }

    fn hkdf_expand(
        &mut self,
        prk: &BytesHashLen,
        info: &BytesMaxInfoBuffer,
        info_len: usize,
        length: usize,
    ) -> BytesMaxBuffer {
        let mut stream = self.inner.hkdf_expand(prk, info, info_len, length);
        // Label 0 is KEYSTREAM_2, and while a message_2 is parsed nothing else is.
        if let (Some(ciphertext), [0, ..]) = (self.ciphertext_2.as_mut(), info) {
            for (byte, key) in ciphertext.iter_mut().zip(&stream) {
                *byte ^= key;
            }
            // C_R, then ID_CRED_R.
            let readable = connection_id(ciphertext).and_then(|(_, rest)| check_plaintext(rest));
            if let (Err(error), Some(first), Some(key)) =
                (readable, ciphertext.first(), stream.first_mut())
            {
                // There is no error to return here. Change the key stream so that
                // the plaintext starts with 0xff, which no connection identifier
                // does: parsing ends there, with an error.
                *key ^= first ^ 0xff;
                self.error = Some(error);
            }
            self.ciphertext_2 = None;
        }
        stream
    }

    fn hkdf_extract(&mut self, salt: &BytesHashLen, ikm: &BytesP256ElemLen) -> BytesHashLen {
        self.inner.hkdf_extract(salt, ikm)
    }

    fn aes_ccm_encrypt_tag_8(
        &mut self,
        key: &BytesCcmKeyLen,
        iv: &BytesCcmIvLen,
        ad: &[u8],
        plaintext: &BufferPlaintext3,
    ) -> BufferCiphertext3 {
        self.inner.aes_ccm_encrypt_tag_8(key, iv, ad, plaintext)
    }

    fn aes_ccm_decrypt_tag_8(
        &mut self,
        key: &BytesCcmKeyLen,
        iv: &BytesCcmIvLen,
        ad: &[u8],
        ciphertext: &BufferCiphertext3,
    ) -> Result<BufferPlaintext3, EDHOCError> {
        if ciphertext.len <= AES_CCM_TAG_LEN {
            return Err(EDHOCError::ParsingError);
        }
        let message = self.inner.aes_ccm_decrypt_tag_8(key, iv, ad, ciphertext)?;
        match check_plaintext(message.as_slice()) {
            Ok(()) => Ok(message),
            Err(Error::EdhocExternal) => Err(EDHOCError::EADUnprocessable),
            Err(_) => Err(EDHOCError::ParsingError),
        }
    }

    fn p256_ecdh(
        &mut self,
        private_key: &BytesP256ElemLen,
        public_key: &BytesP256ElemLen,
    ) -> BytesP256ElemLen {
        self.inner.p256_ecdh(private_key, public_key)
    }

    fn get_random_byte(&mut self) -> u8 {
        self.inner.get_random_byte()
    }

    fn p256_generate_key_pair(&mut self) -> (BytesP256ElemLen, BytesP256ElemLen) {
        self.inner.p256_generate_key_pair()
    }
}
