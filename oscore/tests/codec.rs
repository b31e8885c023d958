//! The message codec, the OSCORE option and credentials, field by field.

use sealift_oscore::coap::{
    BlockOption, Code, Error, Header, Inner, Kind, Message, Writer, decode_uint, number,
};
use sealift_oscore::context::PartialIv;
use sealift_oscore::protect::OscoreOption;
use sealift_oscore::{Credential, CredentialError, Identity};

#[test]
fn malformed_messages_are_refused() {
    for (bytes, error) in [
        (&[][..], Error::Truncated),
        (&[0x40, 1, 0], Error::Truncated),
        (&[0x00, 1, 0, 0], Error::Version),
        (&[0x80, 1, 0, 0], Error::Version),
        (
            &[0x49, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
            Error::TokenLength,
        ),
        (&[0x4f, 1, 0, 0], Error::TokenLength),
        (&[0x42, 1, 0, 0, 1], Error::Truncated),
        (&[0x40, 0x20, 0, 0], Error::Code),
        (&[0x40, 0xff, 0, 0], Error::Code),
        (&[0x41, 0, 0, 0, 1], Error::EmptyMessage),
        (&[0x40, 0, 0, 0, 0xff, 1], Error::EmptyMessage),
        (&[0x40, 1, 0, 0, 0xf0], Error::OptionDelta),
        (&[0x40, 1, 0, 0, 0x0f], Error::OptionLength),
        (&[0x40, 1, 0, 0, 0xb5, 1, 2, 3, 4], Error::OptionTruncated),
        (&[0x40, 1, 0, 0, 0xd0], Error::OptionTruncated),
        (&[0x40, 1, 0, 0, 0xe0, 1], Error::OptionTruncated),
        (&[0x40, 1, 0, 0, 0x0d], Error::OptionTruncated),
        (&[0x40, 1, 0, 0, 0x0e, 0xff], Error::OptionTruncated),
        (&[0x40, 1, 0, 0, 0xe0, 0xff, 0xff], Error::OptionNumber),
        (
            &[0x40, 1, 0, 0, 0xe0, 0xfe, 0xf2, 0x10],
            Error::OptionNumber,
        ),
        (&[0x40, 1, 0, 0, 0xff], Error::EmptyPayload),
        (&[0x40, 1, 0, 0, 0xb0, 0xff], Error::EmptyPayload),
    ] {
        assert_eq!(
            Message::parse(bytes).map(|_| ()),
            Err(error),
            "{bytes:02x?}"
        );
    }
    // The largest option number there is.
    let message = Message::parse(&[0x40, 1, 0, 0, 0xe0, 0xfe, 0xf2]).unwrap();
    assert_eq!(
        message.options.map(|o| o.number).collect::<Vec<_>>(),
        [65535]
    );
}

#[test]
fn writer_keeps_to_the_rules() {
    let header = Header {
        kind: Kind::Confirmable,
        mid: 0x1234,
        token: &[1; 9],
    };
    let mut buffer = [0; 30];
    let refused = Writer::message(&mut buffer, header, Code::GET).map(|_| ());
    assert_eq!(refused, Err(Error::TokenLength));
    let header = Header {
        token: &[7],
        ..header
    };
    let mut writer = Writer::message(&mut buffer, header, Code::PUT).unwrap();
    writer.uri_path("/a//b/").unwrap();
    assert_eq!(writer.option(number::ETAG, &[]), Err(Error::OptionOrder));
    writer.uint(number::CONTENT_FORMAT, 0).unwrap();
    // An option that does not fit leaves nothing behind.
    assert_eq!(
        writer.option(number::URI_QUERY, &[0; 40]),
        Err(Error::BufferFull)
    );
    // All that is left but the marker.
    let space = 30 - writer.as_bytes().len() - 1;
    assert_eq!(writer.payload(&vec![1; space + 1]), Err(Error::BufferFull));
    writer.payload(&vec![9; space]).unwrap();
    assert_eq!(writer.payload(b"x"), Err(Error::AfterPayload));
    assert_eq!(writer.uint(number::SIZE1, 1), Err(Error::AfterPayload));
    assert_eq!(writer.finish(), 30);
    let message = Message::parse(&buffer).unwrap();
    assert_eq!(
        buffer[..12],
        [
            0x41, 3, 0x12, 0x34, 7, 0xb1, b'a', 0x01, b'b', 0x10, 0xff, 9
        ]
    );
    assert_eq!(message.payload.len(), space);
    assert!(message.uri_path().eq([b"a", b"b"]));
}

#[test]
fn block_options() {
    for (value, num, more, szx) in [
        (&[][..], 0, false, 0),
        (&[0x0e], 0, true, 6),
        (&[0xff, 0xff, 0xfe], (1 << 20) - 1, true, 6),
        (&[0x00, 0x16], 1, false, 6),
    ] {
        let block = BlockOption::decode(value).unwrap();
        assert_eq!(block, BlockOption { num, more, szx });
        assert_eq!(block.offset(), usize::try_from(num).unwrap() << (szx + 4));
        assert_eq!(block.encode(), decode_uint(value));
    }
    assert_eq!(BlockOption::decode(&[0; 4]), Err(Error::BlockLength));
    assert_eq!(BlockOption::decode(&[7]), Err(Error::BlockSize));
    let block = BlockOption {
        num: 1 << 20,
        more: false,
        szx: 0,
    };
    assert_eq!(block.encode(), Err(Error::BlockSize));
    assert_eq!(
        BlockOption {
            num: 0,
            more: false,
            szx: 7
        }
        .encode(),
        Err(Error::BlockSize)
    );
    assert_eq!(decode_uint(&[0; 5]), Err(Error::UintLength));
    // Twice the same option that may be there once.
    let inner = Inner::parse(&[3, 0xd1, 0x0e, 1, 0x01, 2]).unwrap();
    assert_eq!(inner.block1(), Err(Error::Repeated));
    assert_eq!(inner.unknown_critical(&[27]), None);
    assert_eq!(inner.unknown_critical(&[]), Some(27));
    for code in [0, 0x20, 0xe0] {
        assert_eq!(Inner::parse(&[code]).map(|_| ()), Err(Error::Code));
    }
}

#[test]
fn oscore_option_is_read_strictly() {
    let piv = |n| Some(PartialIv::new(n).unwrap());
    for (value, expected) in [
        (&[][..], OscoreOption::default()),
        (
            &[0x08],
            OscoreOption {
                kid: Some(&[]),
                ..Default::default()
            },
        ),
        (
            &[0x09, 0x14, 5],
            OscoreOption {
                partial_iv: piv(20),
                kid: Some(&[5]),
                kid_context: None,
            },
        ),
        (
            &[0x11, 0, 2, 8, 9],
            OscoreOption {
                partial_iv: piv(0),
                kid: None,
                kid_context: Some(&[8, 9]),
            },
        ),
    ] {
        assert_eq!(OscoreOption::decode(value), Ok(expected));
    }
    use sealift_oscore::Error;
    for (value, error) in [
        (&[0x00][..], Error::OptionLength),
        (&[0x20], Error::OptionFlags),
        (&[0x49, 1, 2], Error::OptionFlags),
        (&[0x80], Error::OptionFlags),
        (&[0x0e, 1, 2, 3, 4, 5, 6], Error::PartialIv),
        (&[0x0f, 1, 2, 3, 4, 5, 6, 7], Error::PartialIv),
        (&[0x0a, 0, 1], Error::PartialIv),
        (&[0x0a, 1], Error::OptionLength),
        (&[0x01, 1, 2], Error::OptionLength),
        (&[0x19, 1], Error::OptionLength),
        (&[0x19, 1, 3, 1, 2], Error::OptionLength),
    ] {
        assert_eq!(OscoreOption::decode(value), Err(error), "{value:02x?}");
    }
}

/// The credentials of RFC 9529 section 3: subject, key identifier, x and y.
const CRED_I: &str = "a2027734322d35302d33312d46462d45462d33372d33322d333908a101a5010202412b2001215820ac75e9ece3e50bfc8ed60399889522405c47bf16df96660a41298cb4307f7eb62258206e5de611388a4b8a8211334ac7d37ecb52a387d257e6db3c2a93df21ff3affc8";
const CRED_R: &str = "a2026008a101a5010202410a2001215820bbc34960526ea4d32e940cad2a234148ddc21791a12afbcbac93622046dd44f02258204519e257236b2a0ce2023f0931f1f386ca7afda64fcde0108c224c51eabf6072";

#[test]
fn credentials_are_read_strictly() {
    let good = hex::decode(CRED_R.replacen("6008", "617208", 1)).unwrap();
    let credential = Credential::parse(&good).unwrap();
    assert_eq!((credential.subject(), credential.kid()), ("r", &[0x0a][..]));
    // These have a subject of 23 bytes, and an empty one.
    let refused = |text: &str| Credential::parse(&hex::decode(text).unwrap()).map(|_| ());
    assert_eq!(refused(CRED_I), Err(CredentialError::TooLong));
    assert_eq!(refused(CRED_R), Err(CredentialError::Subject));
    for length in 0..good.len() {
        assert!(Credential::parse(&good[..length]).is_err());
    }
    let long = [&good[..], &[0]].concat();
    assert_eq!(Credential::parse(&long), Err(CredentialError::Trailing));
    // Another y than that of the point, or x of no point.
    for (at, error) in [
        (good.len() - 1, CredentialError::PublicKey),
        (5, CredentialError::Format),
    ] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(Credential::parse(&bad), Err(error));
    }
    assert_eq!(
        Credential::parse(&[0xa1; 200]),
        Err(CredentialError::TooLong)
    );
}

#[test]
fn identities_are_whole() {
    let mut rng = rand_core::OsRng;
    let a = Identity::generate("a", &mut rng).unwrap();
    let b = Identity::generate("b", &mut rng).unwrap();
    assert_eq!(a.credential().subject(), "a");
    assert!(Identity::new(a.private_key(), a.credential().clone()).is_ok());
    let refused = |key: &[u8; 32]| Identity::new(key, b.credential().clone()).map(|_| ());
    assert_eq!(refused(a.private_key()), Err(CredentialError::Mismatch));
    assert_eq!(refused(&[0; 32]), Err(CredentialError::PrivateKey));
    assert_eq!(refused(&[0xff; 32]), Err(CredentialError::PrivateKey));
    for (name, error) in [
        ("", CredentialError::Subject),
        ("a\nb", CredentialError::Subject),
        ("a name of 21 letters.", CredentialError::TooLong),
    ] {
        assert_eq!(Identity::generate(name, &mut rng).map(|_| ()), Err(error));
    }
    assert!(Identity::generate("a name of 20 letters", &mut rng).is_ok());
    // A private key is not in the debug output.
    assert!(!format!("{a:?}").contains(&format!("{:?}", a.private_key()[0..4].to_vec())));
}

#[cfg(feature = "pem")]
#[test]
fn text_files() {
    use sealift_oscore::pem::{self, PemError};
    let identity = Identity::generate("operator", &mut rand_core::OsRng).unwrap();
    let public = pem::encode_credential(identity.credential());
    let private = pem::encode_identity(&identity);
    assert_eq!(
        &pem::decode_credential(&public).unwrap(),
        identity.credential()
    );
    let read = pem::decode_identity(&private).unwrap();
    assert_eq!(read.private_key(), identity.private_key());
    assert_eq!(read.credential(), identity.credential());
    assert!(private.starts_with(&public));
    assert!(pem::decode_credential(&format!("\n{}\n", public.replace('\n', "\r\n"))).is_ok());

    let key = private.strip_prefix(&public).unwrap();
    let other = Identity::generate("other", &mut rand_core::OsRng).unwrap();
    let others = pem::encode_credential(other.credential());
    for (text, error) in [
        (String::new(), PemError::MissingCredential),
        (key.to_owned(), PemError::Label),
        (public.clone(), PemError::MissingPrivateKey),
        (format!("{public}{public}"), PemError::Label),
        (format!("{}x", private.as_str()), PemError::Trailing),
        (
            format!("{others}{key}"),
            PemError::Credential(CredentialError::Mismatch),
        ),
        (
            format!("junk\n{}", private.as_str()),
            PemError::MissingCredential,
        ),
    ] {
        let refused = pem::decode_identity(&text).map(|_| ());
        assert_eq!(refused, Err(error));
    }
    assert_eq!(pem::decode_credential(&private), Err(PemError::Trailing));
    let cut = public.replacen('o', "", 1);
    assert!(pem::decode_credential(&cut).is_err());
}
