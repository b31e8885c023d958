//! Requests and responses as a caller sees them: whole bodies, no blocks.

pub use sealift_oscore::coap::Code;

use crate::error::{Advice, Error};

/// A request code (RFC 7252, 5.8; RFC 8132).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Method {
    /// Read.
    Get = 1,
    /// Act.
    Post = 2,
    /// Replace.
    Put = 3,
    /// Remove.
    Delete = 4,
    /// Read with a body.
    Fetch = 5,
    /// Change a part.
    Patch = 6,
    /// Change a part, idempotent.
    Ipatch = 7,
}

impl Method {
    /// The request code.
    #[must_use]
    pub fn code(self) -> Code {
        Code(self as u8)
    }

    /// Whether doing it twice is the same as doing it once.
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }
}

impl std::str::FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.to_ascii_uppercase().as_str() {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "FETCH" => Self::Fetch,
            "PATCH" => Self::Patch,
            "IPATCH" => Self::Ipatch,
            _ => return Err("not one of GET POST PUT DELETE FETCH PATCH IPATCH".into()),
        })
    }
}

/// What the registry calls a response code; empty where it does not know it.
#[must_use]
pub fn code_name(code: Code) -> &'static str {
    match (code.class(), code.detail()) {
        (2, 1) => "Created",
        (2, 2) => "Deleted",
        (2, 3) => "Valid",
        (2, 4) => "Changed",
        (2, 5) => "Content",
        (2, 31) => "Continue",
        (4, 0) => "Bad Request",
        (4, 1) => "Unauthorized",
        (4, 2) => "Bad Option",
        (4, 3) => "Forbidden",
        (4, 4) => "Not Found",
        (4, 5) => "Method Not Allowed",
        (4, 6) => "Not Acceptable",
        (4, 8) => "Request Entity Incomplete",
        (4, 9) => "Conflict",
        (4, 12) => "Precondition Failed",
        (4, 13) => "Request Entity Too Large",
        (4, 15) => "Unsupported Content-Format",
        (4, 22) => "Unprocessable Entity",
        (4, 29) => "Too Many Requests",
        (5, 0) => "Internal Server Error",
        (5, 1) => "Not Implemented",
        (5, 2) => "Bad Gateway",
        (5, 3) => "Service Unavailable",
        (5, 4) => "Gateway Timeout",
        (5, 5) => "Proxying Not Supported",
        _ => "",
    }
}

/// Whether a response code is of class 2.
#[must_use]
pub fn is_success(code: Code) -> bool {
    code.class() == 2
}

/// A request with its whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// Path segments (Uri-Path), each at most 255 bytes.
    pub path: Vec<String>,
    /// Query arguments (Uri-Query), each at most 255 bytes.
    pub query: Vec<String>,
    /// What the body is; numbers of the CoAP Content-Formats registry.
    pub content_format: Option<u16>,
    /// The body, of any length.
    pub payload: Vec<u8>,
}

impl Request {
    /// A request without a body. `path` is split at `/`, and what follows a `?`
    /// at `&`; nothing is percent-decoded.
    #[must_use]
    pub fn new(method: Method, path: &str) -> Self {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, query.split('&').map(str::to_owned).collect()),
            None => (path, Vec::new()),
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = match path {
            "" => Vec::new(),
            _ => path.split('/').map(str::to_owned).collect(),
        };
        Self {
            method,
            path,
            query,
            content_format: None,
            payload: Vec::new(),
        }
    }

    /// The same request with this body.
    #[must_use]
    pub fn with_payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = payload.into();
        self
    }
}

/// A response with its whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The response code.
    pub code: Code,
    /// What the body is, where the device said so.
    pub content_format: Option<u16>,
    /// What an error code comes with.
    pub advice: Option<Advice>,
    /// The body.
    pub payload: Vec<u8>,
}

impl Response {
    /// It as an error, for a code that is one.
    #[must_use]
    pub fn refusal(&self) -> Error {
        Error::refused(self.code, &self.payload, self.advice)
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Method, Request, code_name};

    #[test]
    fn a_path_is_split_into_segments_and_query() {
        let request = Request::new(Method::Get, "/vm1/a/b?x=1&y");
        assert_eq!(request.path, ["vm1", "a", "b"]);
        assert_eq!(request.query, ["x=1", "y"]);
        assert!(Request::new(Method::Get, "/").path.is_empty());
        assert_eq!(Request::new(Method::Get, "vm1/").path, ["vm1", ""]);
    }

    #[test]
    fn methods_are_read_in_any_case() {
        assert_eq!("fetch".parse(), Ok(Method::Fetch));
        assert!("HEAD".parse::<Method>().is_err());
        assert!(!Method::Post.is_idempotent());
        assert!(Method::Put.is_idempotent());
    }

    #[test]
    fn codes_have_the_names_of_the_registry() {
        assert_eq!(code_name(Code::CONTENT), "Content");
        assert_eq!(code_name(Code::new(4, 9)), "Conflict");
        assert_eq!(code_name(Code::new(4, 31)), "");
    }
}
