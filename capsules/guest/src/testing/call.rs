//! Requests to a capsule under test, and its answers.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::message::encode;
use crate::{Capsule, Code, ContentFormat, Request, Response};

const URI_PATH: u16 = 11;
const CONTENT_FORMAT: u16 = 12;
const URI_QUERY: u16 = 15;

/// The longest request and answer: options and payload.
const MAX_MESSAGE: usize = 1280;

/// A capsule that was started.
#[derive(Debug)]
pub struct Running<C>(C);

impl<C: Capsule> Running<C> {
    pub(super) fn new(capsule: C) -> Self {
        Self(capsule)
    }

    /// GET. What is behind a question mark is the query: `"light?unit=lux"`.
    pub fn get(&mut self, path: &str) -> Answer {
        self.request(1, path, None, b"")
    }

    /// POST.
    pub fn post(&mut self, path: &str, payload: impl AsRef<[u8]>) -> Answer {
        self.request(2, path, None, payload.as_ref())
    }

    /// PUT.
    pub fn put(&mut self, path: &str, payload: impl AsRef<[u8]>) -> Answer {
        self.request(3, path, None, payload.as_ref())
    }

    /// DELETE.
    pub fn delete(&mut self, path: &str) -> Answer {
        self.request(4, path, None, b"")
    }

    /// Any request.
    ///
    /// # Panics
    ///
    /// Where the answer is none that a device passes on.
    pub fn request(
        &mut self,
        code: u8,
        path: &str,
        format: Option<ContentFormat>,
        payload: &[u8],
    ) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let segments = path.split('/').filter(|_| !path.is_empty());
        let parts = query.split('&').filter(|_| !query.is_empty());
        let number = format.map(|format| format.0.to_be_bytes());
        let number = number.as_ref().map(|bytes| match bytes {
            [0, 0] => &[][..],
            [0, low] => core::slice::from_ref(low),
            both => both,
        });

        let mut options: Vec<(u16, &[u8])> = Vec::new();
        options.extend(segments.map(|segment| (URI_PATH, segment.as_bytes())));
        options.extend(number.map(|value| (CONTENT_FORMAT, value)));
        options.extend(parts.map(|part| (URI_QUERY, part.as_bytes())));
        let mut message = encode(&options);
        if !payload.is_empty() {
            message.push(0xff);
            message.extend_from_slice(payload);
        }
        assert!(
            message.len() <= MAX_MESSAGE,
            "a request has {MAX_MESSAGE} bytes at most"
        );
        let response = match Request::parse(code, &mut message) {
            Some(request) => self.0.handle(&request),
            None => Response::bad_request(),
        };
        Answer::new(response)
    }

    /// The paths that it reports for discovery.
    #[must_use]
    pub fn resources(&self) -> &'static [&'static str] {
        self.0.resources()
    }

    /// The capsule itself.
    pub fn capsule(&mut self) -> &mut C {
        &mut self.0
    }
}

/// What a capsule answered.
#[derive(Clone, Debug)]
pub struct Answer {
    code: Code,
    message: Box<[u8]>,
}

impl Answer {
    fn new(response: Response) -> Self {
        let (code, message) = response.into_parts();
        assert!(
            matches!(code.0 >> 5, 2 | 4 | 5),
            "{code} is no response code, and a device answers 5.00 instead"
        );
        assert!(
            message.len() <= MAX_MESSAGE,
            "{} bytes are too many for an answer, and a device answers 5.00 instead",
            message.len()
        );
        Self { code, message }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The payload.
    ///
    /// # Panics
    ///
    /// Where the message is malformed.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        self.with(|parts| parts.payload().to_vec())
    }

    /// The payload as text.
    ///
    /// # Panics
    ///
    /// Where it is none.
    #[must_use]
    pub fn text(&self) -> alloc::string::String {
        let payload = self.payload();
        alloc::string::String::from_utf8(payload).expect("the payload is text")
    }

    /// What the payload is, where the capsule says so.
    #[must_use]
    pub fn content_format(&self) -> Option<ContentFormat> {
        self.with(|parts| parts.content_format())
    }

    /// The first value of an option.
    #[must_use]
    pub fn option(&self, number: u16) -> Option<Vec<u8>> {
        self.with(|parts| parts.option(number).map(<[u8]>::to_vec))
    }

    /// Options and payload of a response are as those of a request.
    fn with<R>(&self, read: impl FnOnce(&Request<'_>) -> R) -> R {
        let mut message = self.message.clone();
        let parts = Request::parse(self.code.0, &mut message).expect("a well-formed answer");
        read(&parts)
    }
}
