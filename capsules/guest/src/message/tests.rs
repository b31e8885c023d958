use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::options::encode;
use super::*;

fn parsed<R>(code: u8, message: &[u8], read: impl FnOnce(Option<Request<'_>>) -> R) -> R {
    let mut message = message.to_vec();
    read(Request::parse(code, &mut message))
}

fn message(options: &[(u16, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut message = encode(options);
    if !payload.is_empty() {
        message.push(PAYLOAD_MARKER);
        message.extend_from_slice(payload);
    }
    message
}

#[test]
fn what_a_request_says_is_read() {
    let message = message(
        &[
            (6, b""),
            (URI_PATH, b"temperature"),
            (URI_PATH, b"celsius"),
            (CONTENT_FORMAT, &[60]),
            (URI_QUERY, b"unit=kelvin"),
            (URI_QUERY, b"units=2"),
            (ACCEPT, &[0x2d, 0x16]),
            (2048, b"x"),
        ],
        b"payload",
    );
    parsed(3, &message, |request| {
        let request = request.unwrap();
        assert_eq!(request.method(), Method::Put);
        assert_eq!(request.path(), "temperature/celsius");
        assert!(request.is("temperature/celsius"));
        assert!(!request.is("temperature/celsiuS") && !request.is("temperature"));
        let segments: Vec<&str> = request.segments().collect();
        assert_eq!(segments, ["temperature", "celsius"]);
        assert_eq!(request.parameter("unit"), Some(&b"kelvin"[..]));
        assert_eq!(request.parameter("units"), Some(&b"2"[..]));
        assert_eq!(request.parameter("nit"), None);
        assert_eq!(request.content_format(), Some(ContentFormat::CBOR));
        assert_eq!(request.accept(), Some(ContentFormat(11542)));
        assert_eq!(request.option(2048), Some(&b"x"[..]));
        assert_eq!(request.option(6), Some(&b""[..]));
        assert_eq!(request.payload(), b"payload");
        assert_eq!(request.text(), Some("payload"));
    });
}

#[test]
fn a_request_may_say_nothing() {
    parsed(1, b"", |request| {
        let request = request.unwrap();
        assert_eq!(request.path(), "");
        assert_eq!(request.options().count(), 0);
        assert_eq!(request.segments().count(), 0);
        assert_eq!(request.payload(), b"");
        assert_eq!(request.content_format(), None);
    });
}

#[test]
fn a_number_is_digits_and_nothing_else() {
    let number = |payload: &[u8]| {
        let message = message(&[(URI_PATH, b"x")], payload);
        parsed(3, &message, |request| request.unwrap().number())
    };
    for good in [0, 7, 40, u32::MAX] {
        assert_eq!(number(format!("{good}").as_bytes()), Some(good));
    }
    assert_eq!(number(b"007"), Some(7));
    let bad: [&[u8]; 7] = [
        b"",
        b" 1",
        b"+1",
        b"-1",
        b"1.0",
        b"4294967296",
        b"99999999999",
    ];
    for bad in bad {
        assert_eq!(number(bad), None, "{bad:?}");
    }
}

#[test]
fn methods_have_their_codes() {
    let method = |code| parsed(code, b"", |request| request.unwrap().method());
    let known = [Method::Get, Method::Post, Method::Put, Method::Delete];
    assert_eq!([1, 2, 3, 4].map(method), known);
    assert_eq!(method(5), Method::Other(5));
}

#[test]
fn a_path_that_is_not_ascii_is_none() {
    for (segment, accepted) in [(&b"a"[..], true), (b"\x7f", true), ("ä".as_bytes(), false)] {
        let message = message(&[(URI_PATH, b"x"), (URI_PATH, segment)], b"");
        parsed(1, &message, |request| {
            assert_eq!(request.is_some(), accepted)
        });
    }
    // Elsewhere it may be anything.
    let message = message(&[(URI_PATH, b"x"), (URI_QUERY, "ä".as_bytes())], b"");
    parsed(1, &message, |request| assert!(request.is_some()));
}

#[test]
fn what_is_no_message_is_refused() {
    for bad in [
        &b"\xf0"[..],
        b"\x0f",
        b"\xd0",
        b"\xe0\x00",
        b"\x0d",
        b"\x0e\x00",
        b"\x01",
        b"\xb3ab",
        b"\xb1a\x02b",
    ] {
        parsed(1, bad, |request| assert!(request.is_none(), "{bad:?}"));
    }
}

/// Numbers from a seed.
fn xorshift(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    }
}

/// As [`Request`] documents it, by other means.
fn expected(options: &[(u16, Vec<u8>)]) -> (String, Vec<(u16, &[u8])>) {
    let (path, others): (Vec<_>, Vec<_>) =
        options.iter().partition(|(number, _)| *number == URI_PATH);
    let segments: Vec<&str> = path
        .iter()
        .map(|(_, value)| core::str::from_utf8(value).unwrap())
        .collect();
    let others = others.iter().map(|(n, value)| (*n, &value[..])).collect();
    (segments.join("/"), others)
}

#[test]
fn options_come_out_as_they_went_in() {
    // Miri takes some seconds for each.
    let seeds = if cfg!(miri) { 20 } else { 500 };
    for seed in 1..seeds {
        let mut next = xorshift(seed);
        let mut options: Vec<(u16, Vec<u8>)> = Vec::new();
        for _ in 0..next(9) {
            let number = [
                1, 4, 6, 7, 11, 11, 11, 11, 12, 15, 17, 60, 300, 2048, 65_535,
            ][next(15)];
            let length = [0, 1, 3, 12, 13, 14, 268, 269, 300][next(9)];
            let value = (0..length).map(|_| b'a' + next(26) as u8).collect();
            options.push((number, value));
        }
        options.sort_by_key(|(number, _)| *number);
        let borrowed: Vec<(u16, &[u8])> = options.iter().map(|(n, v)| (*n, &v[..])).collect();
        let payload = vec_of(next(4), b'p');
        let whole = message(&borrowed, &payload);
        let (path, others) = expected(&options);
        parsed(1, &whole, |request| {
            let request = request.unwrap_or_else(|| panic!("seed {seed}"));
            assert_eq!(request.path(), path, "seed {seed}");
            let found: Vec<_> = request.options().collect();
            assert_eq!(found, others, "seed {seed}");
            assert_eq!(request.payload(), payload, "seed {seed}");
        });
        // Whatever else it is, it is read inside its bounds.
        for _ in 0..20 {
            let mut broken = whole.clone();
            broken.truncate(next(whole.len() + 1));
            if let Some(last) = broken.len().checked_sub(1) {
                broken[next(last + 1)] = next(256) as u8;
            }
            parsed(1, &broken, |request| {
                let Some(request) = request else { return };
                let read: usize = request.options().map(|(_, value)| value.len()).sum();
                let payload = request.payload().len();
                assert!(
                    request.path().len() + read + payload <= broken.len(),
                    "seed {seed}"
                );
            });
        }
    }
}

fn vec_of(length: usize, byte: u8) -> Vec<u8> {
    core::iter::repeat_n(byte, length).collect()
}

#[test]
fn a_content_format_takes_as_few_bytes_as_it_needs() {
    let message = |format, payload| {
        let response = Response::content(ContentFormat(format), payload);
        response.into_parts().1.into_vec()
    };
    assert_eq!(message(0, &b"a"[..]), b"\xc0\xffa");
    assert_eq!(message(60, b"ab"), b"\xc1\x3c\xffab");
    assert_eq!(message(11_542, b"a"), b"\xc2\x2d\x16\xffa");
    // No marker without a payload.
    assert_eq!(message(0, b""), b"\xc0");
    let (code, message) = Response::text("a").into_parts();
    assert_eq!((code, &message[..]), (Code::CONTENT, &b"\xc0\xffa"[..]));
}

#[test]
fn responses_carry_the_options_that_are_in_order() {
    let long = vec_of(300, b'x');
    let options: [(u16, &[u8]); 4] = [(4, b"tag"), (14, &[60]), (8, b"late"), (60, &long)];
    let response = Response::changed().with_options(&options, b"payload");
    assert_eq!(response.code(), Code::CHANGED);
    let (_, mut message) = response.into_parts();
    let parts = Request::parse(0, &mut message).unwrap();
    let found: Vec<_> = parts.options().collect();
    assert_eq!(found, [(4, &b"tag"[..]), (14, &[60]), (60, &long)]);
    assert_eq!(parts.payload(), b"payload");
}

#[test]
fn codes_are_written_as_in_the_rfc() {
    let codes = [
        Code::CONTENT,
        Code::NOT_FOUND,
        Code::UNSUPPORTED_CONTENT_FORMAT,
    ];
    assert_eq!(codes.map(|code| code.0), [0x45, 0x84, 0x8f]);
    assert_eq!(
        format!("{} {:?}", Code::CONTENT, Code::NOT_FOUND),
        "2.05 4.04"
    );
}
