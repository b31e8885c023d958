//! The other end of an OSCORE session, which can encrypt any bytes at all: the
//! client in `sealift-oscore` makes nothing that is malformed. It is written
//! anew from RFC 8613, so that it is a second opinion on the way.

use aes::Aes128;
use ccm::aead::{AeadInPlace, KeyInit};
use ccm::consts::{U8, U13};
use hkdf::Hkdf;
use sealift_oscore::coap::{Code, Header, Message, Writer, number};
use sealift_oscore::context::{Parameters, SecurityContext};
use sealift_oscore::protect::OscoreOption;
use sha2::Sha256;

type Ccm = ccm::Ccm<Aes128, U8, U13>;

/// A client's end of a session.
#[derive(Debug)]
pub(crate) struct Link {
    secret: [u8; 16],
    client_id: u8,
    server_id: u8,
    sequence: u32,
}

/// What a response to a request is bound to.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    sequence: u32,
}

impl Link {
    /// The session of this number: its secret and identifiers follow from it.
    pub(crate) fn new(session: u8) -> Self {
        Self {
            secret: [session; 16],
            // Both are of those that take one byte in EDHOC.
            client_id: session % 24,
            server_id: 0x20 | (session % 24),
            sequence: 0,
        }
    }

    /// The device's end.
    pub(crate) fn device(&self) -> SecurityContext {
        SecurityContext::derive(&Parameters {
            master_secret: &self.secret,
            master_salt: &[],
            sender_id: &[self.client_id],
            recipient_id: &[self.server_id],
            id_context: None,
        })
        .unwrap()
    }

    /// A request with this plaintext, and what its response is bound to.
    /// `outer` writes further options of the outer message, above OSCORE's.
    pub(crate) fn request(
        &mut self,
        header: Header<'_>,
        plaintext: &[u8],
        outer: impl FnOnce(&mut Writer<'_>),
    ) -> (Vec<u8>, Question) {
        let question = Question {
            sequence: self.sequence,
        };
        self.sequence += 1;
        let piv = question.piv();
        let mut option = vec![0x08 | u8::try_from(piv.len()).unwrap()];
        option.extend(&piv);
        option.push(self.server_id);
        let key = self.key(&[self.server_id]);
        let nonce = self.nonce(self.server_id, &piv).into();
        let mut sealed = plaintext.to_vec();
        let tag = key.encrypt_in_place_detached(&nonce, &self.additional_data(&piv), &mut sealed);
        sealed.extend(tag.unwrap());
        let mut datagram = [0; 2048];
        let mut writer = Writer::message(&mut datagram, header, Code::POST).unwrap();
        writer.option(number::OSCORE, &option).unwrap();
        outer(&mut writer);
        writer.payload(&sealed).unwrap();
        let length = writer.finish();
        (datagram[..length].to_vec(), question)
    }

    /// The number of an authentic request of this session, if it is one, whatever
    /// it says inside.
    pub(crate) fn number(&self, option: &OscoreOption<'_>, sealed: &[u8]) -> Option<u64> {
        let piv = option.partial_iv?;
        if option.kid != Some(&[self.server_id]) || option.kid_context.is_some() {
            return None;
        }
        let (text, tag) = sealed.split_last_chunk::<8>()?;
        self.key(&[self.server_id])
            .decrypt_in_place_detached(
                &self.nonce(self.server_id, piv.as_bytes()).into(),
                &self.additional_data(piv.as_bytes()),
                &mut text.to_vec(),
                tag.into(),
            )
            .ok()?;
        // A code is the least that a request has inside.
        (!text.is_empty()).then(|| piv.sequence())
    }

    /// The plaintext of a genuine response.
    pub(crate) fn response(&self, question: &Question, message: &Message<'_>) -> Option<Vec<u8>> {
        let option = message.option(number::OSCORE)?;
        let own = question.piv();
        // Either nothing, or a number of its own; a key identifier is not sent.
        let nonce = match option {
            [] => self.nonce(self.server_id, &own),
            [length @ 1..=5, piv @ ..] if piv.len() == usize::from(*length) => {
                self.nonce(self.client_id, piv)
            }
            _ => return None,
        };
        let (text, tag) = message.payload.split_last_chunk::<8>()?;
        let mut opened = text.to_vec();
        self.key(&[self.client_id])
            .decrypt_in_place_detached(
                &nonce.into(),
                &self.additional_data(&own),
                &mut opened,
                tag.into(),
            )
            .ok()?;
        Some(opened)
    }

    fn key(&self, id: &[u8]) -> Ccm {
        let mut key = [0; 16];
        let info = [&[0x85, 0x41], id, &[0xf6, 10, 0x63], b"Key", &[16]].concat();
        self.derive(&info, &mut key);
        Ccm::new(&key.into())
    }

    fn nonce(&self, id: u8, piv: &[u8]) -> [u8; 13] {
        let mut nonce = [0; 13];
        let info = [&[0x85, 0x40, 0xf6, 10, 0x62][..], b"IV", &[13]].concat();
        self.derive(&info, &mut nonce);
        nonce[0] ^= 1;
        nonce[7] ^= id;
        for (byte, of_piv) in nonce.iter_mut().rev().zip(piv.iter().rev()) {
            *byte ^= of_piv;
        }
        nonce
    }

    fn derive(&self, info: &[u8], to: &mut [u8]) {
        let hkdf = Hkdf::<Sha256>::new(Some(&[]), &self.secret);
        hkdf.expand(info, to).unwrap();
    }

    fn additional_data(&self, piv: &[u8]) -> Vec<u8> {
        let short = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
        let external = [
            &[0x85, 1, 0x81, 10, 0x41, self.server_id, 0x40 | short(piv)],
            piv,
            &[0x40],
        ]
        .concat();
        [
            &[0x83, 0x68][..],
            b"Encrypt0",
            &[0x40, 0x40 | short(&external)],
            &external,
        ]
        .concat()
    }
}

impl Question {
    fn piv(&self) -> Vec<u8> {
        let bytes = self.sequence.to_be_bytes();
        let leading = bytes.iter().take(3).take_while(|byte| **byte == 0).count();
        bytes[leading..].to_vec()
    }
}
