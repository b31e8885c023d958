//! Key exchange messages that are encrypted as they should be, with any content:
//! what somebody can send who holds no key that the other side knows.

use lakers::{
    AES_CCM_TAG_LEN, CryptoTrait, EDHOC_METHOD, EdhocBuffer, EdhocMessageBuffer, InitiatorStart,
    MAX_MESSAGE_SIZE_LEN, WaitM2,
};
use sealift_oscore::{Credential, Identity};

use crate::rng::Rng;

/// The longest plaintext that lakers has room to encrypt: with more it panics.
pub(super) const MAX_PLAINTEXT_3: usize = MAX_MESSAGE_SIZE_LEN - AES_CCM_TAG_LEN;

type Crypto = lakers_crypto_rustcrypto::Crypto<Rng>;

/// An initiator that can say anything.
pub(super) struct Initiator {
    crypto: Crypto,
    waiting: WaitM2,
    pub(super) message_1: Vec<u8>,
}

impl Initiator {
    pub(super) fn start(seed: u64) -> Self {
        let mut crypto = Crypto::new(Rng::new(seed));
        let (x, g_x) = crypto.p256_generate_key_pair();
        let start = InitiatorStart {
            suites_i: EdhocBuffer::new_from_slice(&[2]).unwrap(),
            method: EDHOC_METHOD,
            x,
            g_x,
        };
        let c_i = lakers::ConnId::from_slice(&[0x17]).unwrap();
        let (waiting, message_1) =
            lakers::i_prepare_message_1(&start, &mut crypto, c_i, &None).unwrap();
        Self {
            crypto,
            waiting,
            message_1: message_1.as_slice().to_vec(),
        }
    }

    /// message_3 with this plaintext, C_R in front; made with the key of `own`.
    pub(super) fn message_3(
        mut self,
        message_2: &[u8],
        device: &Credential,
        own: &Identity,
        plaintext: &[u8],
    ) -> Option<Vec<u8>> {
        let crypto = &mut self.crypto;
        let message_2 = EdhocMessageBuffer::new_from_slice(message_2).ok()?;
        let (processing, c_r, ..) =
            lakers::i_parse_message_2(&self.waiting, crypto, &message_2).ok()?;
        let device = lakers::Credential::new_ccs(
            EdhocBuffer::new_from_slice(device.as_bytes()).ok()?,
            *device.x(),
        )
        .with_kid(EdhocBuffer::new_from_slice(device.kid()).ok()?);
        let state =
            lakers::i_verify_message_2(&processing, crypto, device, own.private_key()).ok()?;
        let mut derive = |label, length| {
            let mut context = [0; lakers::MAX_KDF_CONTEXT_LEN];
            context[..32].copy_from_slice(&state.th_3);
            let (info, info_length) = lakers::encode_info(label, &context, 32, length);
            crypto.hkdf_expand(&state.prk_3e2m, &info, info_length, length)
        };
        let key: [u8; 16] = derive(3, 16)[..16].try_into().ok()?;
        let iv: [u8; 13] = derive(4, 13)[..13].try_into().ok()?;
        let aad = [b"\x83\x68Encrypt0\x40\x58\x20", &state.th_3[..]].concat();
        let plaintext = EdhocMessageBuffer::new_from_slice(plaintext).ok()?;
        let sealed = crypto.aes_ccm_encrypt_tag_8(&key, &iv, &aad, &plaintext);
        let mut payload = c_r.as_cbor().to_vec();
        payload.extend(string(sealed.as_slice()));
        Some(payload)
    }
}

/// message_2 with this plaintext, in answer to a message_1 as our client makes it:
/// method, suite, G_X, C_I.
pub(super) fn message_2(message_1: &[u8], plaintext: &[u8]) -> Option<Vec<u8>> {
    let mut crypto = Crypto::new(Rng::new(77));
    let (y, g_y) = crypto.p256_generate_key_pair();
    let mut hash = |parts: &[&[u8]]| {
        let mut buffer = [0; lakers::MAX_BUFFER_LEN];
        let bytes = parts.concat();
        buffer[..bytes.len()].copy_from_slice(&bytes);
        crypto.sha256_digest(&buffer, bytes.len())
    };
    let of_first = hash(&[message_1]);
    let th_2 = hash(&[&[0x58, 0x20], &g_y, &[0x58, 0x20], &of_first]);
    let g_x: [u8; 32] = message_1.get(4..36)?.try_into().ok()?;
    let secret = crypto.p256_ecdh(&y, &g_x);
    let prk_2e = crypto.hkdf_extract(&th_2, &secret);
    let mut context = [0; lakers::MAX_KDF_CONTEXT_LEN];
    context[..32].copy_from_slice(&th_2);
    let (info, length) = lakers::encode_info(0, &context, 32, plaintext.len());
    let stream = crypto.hkdf_expand(&prk_2e, &info, length, plaintext.len());
    let ciphertext = plaintext.iter().zip(stream).map(|(text, key)| text ^ key);
    Some(string(
        &[&g_y[..], &ciphertext.collect::<Vec<u8>>()].concat(),
    ))
}

/// A CBOR byte string.
fn string(bytes: &[u8]) -> Vec<u8> {
    let mut string = match u8::try_from(bytes.len()) {
        Ok(short @ 0..24) => vec![0x40 | short],
        Ok(length) => vec![0x58, length],
        Err(_) => vec![0x59, (bytes.len() >> 8) as u8, bytes.len() as u8],
    };
    string.extend(bytes);
    string
}
