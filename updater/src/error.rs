//! What can go wrong between the updater and a device, in plain words.

use std::fmt;
use std::io;
use std::time::Duration;

use sealift_wire::Refusal;

use crate::blocks::BlockError;
use crate::request::{Code, code_name};

/// What a device says beside a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// It is busy for this long (5.03 with Max-Age).
    TryAgainIn(Duration),
    /// It takes no more than this many bytes (4.13 with Size1).
    AtMost(u32),
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TryAgainIn(time) => write!(f, "try again in {} s", time.as_secs()),
            Self::AtMost(bytes) => write!(f, "it takes at most {bytes} bytes"),
        }
    }
}

/// Why something was not done. [`Display`](std::fmt::Display) is the one line
/// that a person is shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device answered with an error code.
    #[error("refused by the device: {} ({code}){}", refusal_text(*code, text), after(*advice))]
    Refused {
        /// The response code.
        code: Code,
        /// The diagnostic payload, made safe for a terminal.
        text: String,
        /// What else it said.
        advice: Option<Advice>,
    },
    /// Nothing came back.
    #[error("no answer from {device} after {tries} tries{hint}")]
    NoAnswer {
        /// `HOST:PORT`.
        device: String,
        /// Transmissions of the request.
        tries: u32,
        /// What the network said meanwhile, in brackets, or nothing.
        hint: String,
    },
    /// The device acknowledged a request and never answered it.
    #[error("{device} acknowledged the request and never answered it")]
    NoResponse {
        /// `HOST:PORT`.
        device: String,
    },
    /// The device rejected the message.
    #[error("{device} rejected the message (CoAP reset)")]
    Reset {
        /// `HOST:PORT`.
        device: String,
    },
    /// The device does not let this credential in.
    #[error("the device refused this credential")]
    CredentialRefused,
    /// The device could not prove that it is the one expected.
    #[error("the device that answers is not the one expected: it does not hold the key of --peer")]
    WrongDevice,
    /// The handshake failed for another reason.
    #[error("the key exchange with the device failed: {0}")]
    Handshake(String),
    /// The device has lost the security context, in the middle of a push or even
    /// after a new key exchange.
    #[error("the device does not accept the security context: it has restarted")]
    ContextLost,
    /// The request cannot be sent, such as one with too long a path.
    #[error("the request cannot be sent: {0}")]
    Request(String),
    /// A refusal that nothing protects came in the place of an answer. A device says so
    /// that has lost the security context, and to a replay of what it has done; and
    /// anybody can. The request is one that must not be done twice, so it is not sent
    /// again. Others can be: the context is renewed, where that works.
    #[error(
        "it is not known whether it was done, as the device restarted or got it twice, or \
         somebody else answered: look at its status, and repeat it if it was not done"
    )]
    Uncertain,
    /// A response that does not fit the request.
    #[error("the device sent an answer that makes no sense: {0}")]
    Protocol(&'static str),
    /// Blocks that do not make a body.
    #[error(transparent)]
    Blocks(#[from] BlockError),
    /// The file is not an envelope.
    #[error("not an envelope: {0}")]
    Envelope(String),
    /// The payload of a detached envelope is missing.
    #[error("the envelope has no payload in it and none was given")]
    NoPayload,
    /// The caller asked for an end; see [`Flow::Stop`](crate::Flow::Stop).
    #[error("stopped after {sent} bytes as asked")]
    Stopped {
        /// Payload bytes that this push has sent.
        sent: u64,
    },
    /// The host name has no address.
    #[error("cannot resolve {device}: {source}")]
    Unresolved {
        /// `HOST:PORT`.
        device: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// A socket could not be opened.
    #[error("network: {0}")]
    Io(#[from] io::Error),
}

impl Error {
    /// A response with an error code.
    pub(crate) fn refused(code: Code, payload: &[u8], advice: Option<Advice>) -> Self {
        Self::Refused {
            code,
            text: printable(payload),
            advice,
        }
    }

    /// The refusal that the device gave, where it is one of those that
    /// [`sealift_wire`] knows. Read from the number at the end of the text.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        let Self::Refused { text, .. } = self else {
            return None;
        };
        let number = text.strip_suffix(']')?.rsplit_once('[')?.1;
        Refusal::from_number(number.parse().ok()?)
    }

    /// Whether trying again over a new association may help: the link or the
    /// device was away.
    #[must_use]
    pub fn is_link_failure(&self) -> bool {
        matches!(
            self,
            Self::NoAnswer { .. }
                | Self::NoResponse { .. }
                | Self::Reset { .. }
                | Self::ContextLost
        )
    }
}

fn refusal_text(code: Code, text: &str) -> &str {
    if text.is_empty() {
        code_name(code)
    } else {
        text
    }
}

fn after(advice: Option<Advice>) -> String {
    advice
        .map(|advice| format!("; {advice}"))
        .unwrap_or_default()
}

/// Text from a device for a terminal: control characters could do more than
/// appear.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_with_its_reason_number_and_code() {
        let refused = Error::Refused {
            code: Code(Refusal::OldSequence.code()),
            text: Refusal::OldSequence.to_string(),
            advice: None,
        };
        assert_eq!(
            refused.to_string(),
            "refused by the device: the sequence number is not above the highest activated [26] (4.09)"
        );
        assert_eq!(refused.refusal(), Some(Refusal::OldSequence));
    }

    #[test]
    fn a_refusal_without_a_text_says_what_its_code_means() {
        let refused = Error::Refused {
            code: Code(0x84),
            text: String::new(),
            advice: None,
        };
        assert_eq!(
            refused.to_string(),
            "refused by the device: Not Found (4.04)"
        );
        assert_eq!(refused.refusal(), None);
    }

    #[test]
    fn a_refusal_ends_with_what_can_be_done() {
        for (advice, said) in [
            (
                Advice::TryAgainIn(Duration::from_secs(60)),
                "; try again in 60 s",
            ),
            (Advice::AtMost(1024), "; it takes at most 1024 bytes"),
        ] {
            let refused = Error::Refused {
                code: Code::new(5, 3),
                text: "x [2]".into(),
                advice: Some(advice),
            };
            assert_eq!(
                refused.to_string(),
                format!("refused by the device: x [2] (5.03){said}")
            );
            assert_eq!(refused.refusal(), Some(Refusal::NotFound));
        }
    }

    #[test]
    fn a_device_cannot_steer_the_terminal() {
        assert_eq!(
            printable(b"a\x1b[2Jb\r\nc\xff"),
            "a\u{fffd}[2Jb\u{fffd}\u{fffd}c\u{fffd}"
        );
    }
}
