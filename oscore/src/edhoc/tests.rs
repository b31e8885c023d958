//! Peers that complete the cryptography and then send what lakers cannot stand.

use super::{Initiator, Responder, compact_id};
use crate::{Credential, Error, Identity};
use lakers::{CryptoTrait, EdhocBuffer, EdhocMessageBuffer, InitiatorStart};
use rand_core::OsRng;
use std::vec::Vec;

fn identity(name: &str) -> Identity {
    Identity::generate(name, &mut OsRng).unwrap()
}

fn crypto() -> lakers_crypto_rustcrypto::Crypto<OsRng> {
    lakers_crypto_rustcrypto::Crypto::new(OsRng)
}

/// What a responder says to a message_3 whose plaintext is `plaintext`. The
/// initiator needs no credential to get this far.
fn answer_to(plaintext: &[u8], peers: &[Credential]) -> Result<(), Error> {
    let device = identity("device");
    let mut crypto = crypto();
    let (x, g_x) = crypto.p256_generate_key_pair();
    let start = InitiatorStart {
        suites_i: EdhocBuffer::new_from_slice(&[2]).unwrap(),
        method: 3,
        x,
        g_x,
    };
    let c_i = compact_id(5);
    let (wait, message_1) = lakers::i_prepare_message_1(&start, &mut crypto, c_i, &None).unwrap();
    let (responder, message_2) = Responder::start(
        &device,
        message_1.as_slice(),
        |_| Some(compact_id(6)),
        &mut OsRng,
    )
    .unwrap();
    let message_2 = EdhocMessageBuffer::new_from_slice(&message_2).unwrap();
    let (processing, ..) = lakers::i_parse_message_2(&wait, &mut crypto, &message_2).unwrap();
    let credential = super::for_lakers(device.credential()).unwrap();
    let own = identity("stranger");
    let state = lakers::i_verify_message_2(&processing, &mut crypto, credential, own.private_key())
        .unwrap();

    let mut derive = |label, length| {
        let mut context = [0; lakers::MAX_KDF_CONTEXT_LEN];
        context[..32].copy_from_slice(&state.th_3);
        let (info, info_length) = lakers::encode_info(label, &context, 32, length);
        crypto.hkdf_expand(&state.prk_3e2m, &info, info_length, length)
    };
    let key: [u8; 16] = derive(3, 16)[..16].try_into().unwrap();
    let iv: [u8; 13] = derive(4, 13)[..13].try_into().unwrap();
    let aad = [b"\x83\x68Encrypt0\x40\x58\x20", &state.th_3[..]].concat();
    let plaintext = EdhocMessageBuffer::new_from_slice(plaintext).unwrap();
    let ciphertext = crypto.aes_ccm_encrypt_tag_8(&key, &iv, &aad, &plaintext);
    let mut message_3: Vec<u8> = match u8::try_from(ciphertext.len).unwrap() {
        short @ 0..24 => std::vec![0x40 | short],
        long => std::vec![0x58, long],
    };
    message_3.extend_from_slice(ciphertext.as_slice());
    responder.finish(&message_3, peers, &mut OsRng).map(|_| ())
}

#[test]
fn hostile_plaintexts_of_message_3_are_refused() {
    let known = identity("a name of 20 letters").credential().clone();
    let peers = [known.clone()];
    let mac: &[u8] = &[0x48, 0, 0, 0, 0, 0, 0, 0, 0];
    let by_value = [&[0xa1, 0x0e], known.as_bytes(), mac].concat();
    let by_kid = [&[0x44], known.kid(), mac].concat();
    let external = |of: &[u8], label: u8, length: usize| {
        let head = [label, 0x58, u8::try_from(length).unwrap()];
        [of, &head, &std::vec![0; length][..]].concat()
    };
    for (plaintext, error) in [
        (by_value.clone(), Error::EdhocAuthentication),
        (by_kid.clone(), Error::EdhocAuthentication),
        // Container lengths that overflow the counter of a skipped item.
        (
            [&[0xa1, 0x0e, 0xb8, 0xff][..], &[0xbf; 60], mac].concat(),
            Error::EdhocMessage,
        ),
        (
            [
                &[0xa1, 0x0e, 0x98, 0xff][..],
                &[0x98, 0xff].repeat(30)[..],
                mac,
            ]
            .concat(),
            Error::EdhocMessage,
        ),
        ([&[0xb8, 0x80][..], &[0; 100]].concat(), Error::EdhocMessage),
        // External authorization data as long as a message holds.
        (external(&by_kid, 1, 160), Error::EdhocMessage),
        (external(&by_value, 1, 30), Error::EdhocMessage),
        (external(&by_kid, 0x20, 24), Error::EdhocExternal),
        (external(&by_kid, 1, 24), Error::EdhocAuthentication),
        // Identifiers of other kinds and lengths.
        ([&[0x57][..], &[7; 23], mac].concat(), Error::EdhocMessage),
        ([&[0x40], mac].concat(), Error::UnknownPeer),
        (
            [&[0xa1, 0x22, 0x41, 0x01], mac].concat(),
            Error::EdhocMessage,
        ),
        (std::vec![0xa1], Error::EdhocMessage),
        (std::vec![0x00], Error::EdhocMessage),
    ] {
        assert_eq!(
            answer_to(&plaintext, &peers),
            Err(error),
            "{plaintext:02x?}"
        );
    }
}

/// What an initiator says to a message_2 whose plaintext is `plaintext`.
fn response_to(plaintext: &[u8]) -> Result<(), Error> {
    let (own, device) = (identity("own"), identity("device"));
    let (initiator, message_1) = Initiator::start(&own, device.credential(), &mut OsRng).unwrap();
    let mut crypto = crypto();
    let (y, g_y) = crypto.p256_generate_key_pair();
    let mut hash = |parts: &[&[u8]]| {
        let mut buffer = [0; lakers::MAX_BUFFER_LEN];
        let bytes = parts.concat();
        buffer[..bytes.len()].copy_from_slice(&bytes);
        crypto.sha256_digest(&buffer, bytes.len())
    };
    let h_message_1 = hash(&[&message_1]);
    let th_2 = hash(&[&[0x58, 0x20], &g_y, &[0x58, 0x20], &h_message_1]);
    // method, suite, 0x5820, G_X, C_I
    let g_x: [u8; 32] = message_1[4..36].try_into().unwrap();
    let secret = crypto.p256_ecdh(&y, &g_x);
    let prk_2e = crypto.hkdf_extract(&th_2, &secret);
    let mut context = [0; lakers::MAX_KDF_CONTEXT_LEN];
    context[..32].copy_from_slice(&th_2);
    let (info, length) = lakers::encode_info(0, &context, 32, plaintext.len());
    let stream = crypto.hkdf_expand(&prk_2e, &info, length, plaintext.len());
    let ciphertext: Vec<u8> = plaintext.iter().zip(stream).map(|(p, k)| p ^ k).collect();
    let length = u8::try_from(32 + ciphertext.len()).unwrap();
    let message_2 = [&[0x58, length], &g_y[..], &ciphertext].concat();
    initiator.finish(&message_2, &mut OsRng).map(|_| ())
}

#[test]
fn hostile_plaintexts_of_message_2_are_refused() {
    let mac: &[u8] = &[0x48, 0, 0, 0, 0, 0, 0, 0, 0];
    for (plaintext, error) in [
        // Well-formed, but for another credential: the keystream above is right.
        ([&[0x05, 0x06], mac].concat(), Error::UnknownPeer),
        ([&[0x05, 0x06], mac, &[0x20]].concat(), Error::EdhocExternal),
        (
            [&[0x05, 0xb8, 0xff][..], &[0xbf; 60], mac].concat(),
            Error::EdhocMessage,
        ),
        (
            [&[0x05, 0xa1, 0x0e][..], &[0x98, 0xff].repeat(40), mac].concat(),
            Error::EdhocMessage,
        ),
        (
            [&[0x57][..], &[1; 23], &[0x06], mac].concat(),
            Error::EdhocMessage,
        ),
        (
            [&[0x48, 1, 2, 3, 4, 5, 6, 7, 8, 0x06], mac].concat(),
            Error::EdhocMessage,
        ),
        (std::vec![0x05], Error::EdhocMessage),
        (std::vec![], Error::EdhocMessage),
    ] {
        assert_eq!(response_to(&plaintext), Err(error), "{plaintext:02x?}");
    }
}

#[test]
fn malformed_message_2_is_refused() {
    let (own, device) = (identity("own"), identity("device"));
    for (message_2, error) in [
        (&[][..], Error::EdhocMessage),
        (&[0x58, 0x28], Error::EdhocMessage),
        (&[0x40], Error::EdhocMessage),
        (&[1, 0x60], Error::PeerRefused(1)),
        (&[2, 2], Error::PeerRefused(2)),
        (&[0x20, 0x60], Error::PeerRefused(-1)),
        (&[&[0x58, 40][..], &[0xff; 40]].concat(), Error::EdhocKey),
        (
            &[&[0x58, 0xff][..], &device.credential().x()[..], &[0; 223]].concat(),
            Error::EdhocMessage,
        ),
    ] {
        let (initiator, _) = Initiator::start(&own, device.credential(), &mut OsRng).unwrap();
        let refused = initiator.finish(message_2, &mut OsRng).map(|_| ());
        assert_eq!(refused, Err(error), "{message_2:02x?}");
    }
}

#[test]
fn malformed_message_3_is_refused() {
    let (own, device) = (identity("own"), identity("device"));
    let (_, message_1) = Initiator::start(&own, device.credential(), &mut OsRng).unwrap();
    let choose = |c_i: &super::ConnId| (0..2).map(compact_id).find(|id| id != c_i);
    let (responder, _) = Responder::start(&device, &message_1, choose, &mut OsRng).unwrap();
    for message_3 in [
        &[][..],
        &[0x40],
        &[0x43, 1, 2, 3],
        &[0x48, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0x4a, 1, 2],
        &[0x58, 0xff],
        &[0x58, 0x05, 1, 2, 3, 4, 5],
        &[&[0x58, 0xff][..], &[7; 255]].concat(),
        &[0x63, 1, 2, 3],
        &[0x50; 18],
    ] {
        let peers = [own.credential().clone()];
        let refused = responder
            .finish(message_3, &peers, &mut OsRng)
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(refused, Error::EdhocMessage | Error::EdhocAuthentication),
            "{message_3:02x?}"
        );
    }
}

#[test]
fn compact_identifiers_are_all_different() {
    let mut all: Vec<_> = (0..48).map(|n| compact_id(n).as_slice().to_vec()).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 48);
    assert!(all.iter().all(|id| id.len() == 1));
}

#[test]
fn equal_connection_identifiers_are_refused() {
    let (own, device) = (identity("own"), identity("device"));
    let (_, message_1) = Initiator::start(&own, device.credential(), &mut OsRng).unwrap();
    let refused = Responder::start(&device, &message_1, |c_i| Some(*c_i), &mut OsRng);
    assert_eq!(refused.map(|_| ()), Err(Error::Identifiers));
}
