//! A request, parsed and with an author.

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use sealift_oscore::coap::{self, BlockOption, Code, Inner, Writer, number};
use sealift_oscore::server::SessionId;
use sealift_wire::Refusal;
use siphasher::sip::SipHasher;

use crate::block::Piece;
use sealift_wire::Roles;

/// The options that the device's own resources understand.
const KNOWN_CRITICAL: [u16; 7] = [
    number::URI_HOST,
    number::URI_PORT,
    number::URI_PATH,
    number::URI_QUERY,
    number::ACCEPT,
    number::BLOCK1,
    number::BLOCK2,
];

/// The most options of a request. Each takes some bytes of RAM as long as the request
/// is looked at, and an empty one takes one byte on the way.
const MAX_OPTIONS: usize = 64;

/// What is not part of the question: the block that is asked for, sizes, and
/// Observe, which later blocks leave out (RFC 7959, 2.6 and 4); Echo.
const NOT_THE_QUESTION: [u16; 6] = [
    number::BLOCK1,
    number::BLOCK2,
    number::SIZE1,
    number::SIZE2,
    number::OBSERVE,
    number::ECHO,
];

/// What the requests for all blocks of one body have in common: the session,
/// the method and every option that is not about blocks. A Request-Tag is one
/// of them (RFC 9175, 3.3). Of the options it is a hash, since it is kept as long as a
/// body or an answer is. Who finds two requests with the same one has mixed up their
/// own: the session is compared as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) session: SessionId,
    code: Code,
    options: u64,
}

/// An authenticated request.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The security context that it came by.
    pub(crate) session: SessionId,
    /// What its author may do.
    pub(crate) roles: Roles,
    pub(crate) code: Code,
    pub(crate) path: Vec<&'a str>,
    pub(crate) block1: Option<BlockOption>,
    pub(crate) block2: Option<BlockOption>,
    inner: Inner<'a>,
}

impl<'a> Request<'a> {
    pub(crate) fn parse(
        inner: Inner<'a>,
        session: SessionId,
        roles: Roles,
    ) -> Result<Self, Refusal> {
        if inner.options.clone().count() > MAX_OPTIONS {
            return Err(Refusal::BadRequest);
        }
        let path = inner
            .uri_path()
            .map(core::str::from_utf8)
            .collect::<Result<_, _>>()
            .map_err(|_| Refusal::BadRequest)?;
        Ok(Self {
            session,
            roles,
            code: inner.code,
            path,
            block1: inner.block1().map_err(bad_block)?,
            block2: inner.block2().map_err(bad_block)?,
            inner,
        })
    }

    /// Which exchange of blocks it belongs to.
    pub(crate) fn exchange(&self) -> Exchange {
        let mut options = SipHasher::new();
        for option in self.inner.options.clone() {
            if !NOT_THE_QUESTION.contains(&option.number) {
                (option.number, option.value).hash(&mut options);
            }
        }
        Exchange {
            session: self.session,
            code: self.code,
            options: options.finish(),
        }
    }

    /// The piece of the request body that it carries.
    pub(crate) fn piece(&self) -> Result<Piece<'a>, Refusal> {
        Piece::new(self.block1, self.inner.payload)
    }

    /// Refuses a request that is one of several blocks.
    pub(crate) fn in_one_piece(&self) -> Result<(), Refusal> {
        match self.block1 {
            Some(block) if block.more || block.num != 0 => Err(Refusal::TooLarge),
            _ => Ok(()),
        }
    }

    /// Refuses a body that says of itself that it will be longer (RFC 7959, 4).
    pub(crate) fn announces_at_most(&self, limit: usize) -> Result<(), Refusal> {
        let announced = self.inner.uint(number::SIZE1).ok().flatten();
        match announced.map(usize::try_from) {
            Some(size) if size.is_err() || size.is_ok_and(|size| size > limit) => {
                Err(Refusal::TooLarge)
            }
            _ => Ok(()),
        }
    }

    /// Refuses where the answer has this format and another one is asked for
    /// (RFC 7252, 5.10.4).
    pub(crate) fn accepts(&self, format: Option<u32>) -> Result<(), Refusal> {
        let accepted = self.inner.uint(number::ACCEPT);
        match accepted.map_err(|_| Refusal::BadOption)? {
            Some(accepted) if Some(accepted) != format => Err(Refusal::NotAcceptable),
            _ => Ok(()),
        }
    }

    /// Whether it begins something: it is no later block of a body.
    pub(crate) fn is_first(&self) -> bool {
        self.block1.is_none_or(|block| block.num == 0)
    }

    /// Whether it completes something: no block of its body follows.
    pub(crate) fn is_last(&self) -> bool {
        self.block1.is_none_or(|block| !block.more)
    }

    /// Refuses critical options that the device's own resources do not know
    /// (RFC 7252, 5.4.1).
    pub(crate) fn only_known_options(&self) -> Result<(), Refusal> {
        match self.inner.unknown_critical(&KNOWN_CRITICAL) {
            None => Ok(()),
            Some(_) => Err(Refusal::BadOption),
        }
    }

    /// The options as a capsule gets them: its own part of the path, and
    /// nothing of block-wise transfer and freshness, which the device does.
    pub(crate) fn capsule_message(&self, payload: &[u8]) -> Result<Vec<u8>, Refusal> {
        let room = self
            .inner
            .options
            .as_bytes()
            .len()
            .saturating_add(payload.len())
            // The code, the payload marker, and a first option whose delta
            // takes more bytes once the option before it is gone.
            .saturating_add(8);
        let mut buffer = alloc::vec![0; room];
        let mut writer = Writer::inner(&mut buffer, self.code).map_err(|_| Refusal::Internal)?;
        let mut named_component = false;
        for option in self.inner.options.clone() {
            match option.number {
                number::BLOCK1 | number::BLOCK2 | number::SIZE1 | number::SIZE2 | number::ECHO => {
                    continue;
                }
                number::URI_PATH if !named_component => {
                    named_component = true;
                    continue;
                }
                _ => {}
            }
            writer
                .option(option.number, option.value)
                .map_err(|_| Refusal::TooLarge)?;
        }
        writer.payload(payload).map_err(|_| Refusal::TooLarge)?;
        let length = writer.finish();
        buffer.truncate(length);
        // The code travels beside the message.
        buffer.remove(0);
        Ok(buffer)
    }
}

/// The reserved size exponent is a bad request (RFC 7959, 2.2); a block
/// option that is too long or repeated counts as unknown (RFC 7252, 5.4.3).
fn bad_block(error: coap::Error) -> Refusal {
    match error {
        coap::Error::BlockSize => Refusal::BadRequest,
        _ => Refusal::BadOption,
    }
}

#[cfg(test)]
mod tests {
    use sealift_oscore::coap::Options;

    use super::*;

    fn inner(build: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut buffer = [0; 256];
        let mut writer = Writer::inner(&mut buffer, Code::PUT).unwrap();
        build(&mut writer);
        let length = writer.finish();
        buffer[..length].to_vec()
    }

    fn request(bytes: &[u8]) -> Result<Request<'_>, Refusal> {
        Request::parse(Inner::parse(bytes).unwrap(), SessionId(1), Roles::NONE)
    }

    #[test]
    fn a_capsule_gets_its_own_part_of_the_path() {
        let bytes = inner(|writer| {
            writer.uri_path("vm1/a/b").unwrap();
            writer.option(number::URI_QUERY, b"x=1").unwrap();
            writer.uint(number::BLOCK1, 6).unwrap();
            writer.payload(b"ignored").unwrap();
        });
        let message = request(&bytes).unwrap().capsule_message(b"body").unwrap();
        let (options, payload) = Options::parse(&message).unwrap();
        let options: Vec<_> = options.map(|o| (o.number, o.value)).collect();
        assert_eq!(
            options,
            [
                (number::URI_PATH, &b"a"[..]),
                (number::URI_PATH, b"b"),
                (number::URI_QUERY, b"x=1"),
            ]
        );
        assert_eq!(payload, b"body");
    }

    #[test]
    fn unknown_critical_options_and_bad_paths_are_refused() {
        let bytes = inner(|writer| writer.option(9999, b"").unwrap());
        assert_eq!(
            request(&bytes).unwrap().only_known_options(),
            Err(Refusal::BadOption)
        );
        let elective = inner(|writer| writer.option(9998, b"").unwrap());
        assert_eq!(request(&elective).unwrap().only_known_options(), Ok(()));
        let path = inner(|writer| writer.option(number::URI_PATH, b"\xff").unwrap());
        assert_eq!(request(&path).unwrap_err(), Refusal::BadRequest);
        let reserved = inner(|writer| writer.option(number::BLOCK1, b"\x07").unwrap());
        assert_eq!(request(&reserved).unwrap_err(), Refusal::BadRequest);
        let long = inner(|writer| writer.option(number::BLOCK1, b"\0\0\0\0").unwrap());
        assert_eq!(request(&long).unwrap_err(), Refusal::BadOption);
        // A condition that nobody checks must not be taken for met.
        let condition = inner(|writer| writer.option(number::IF_MATCH, b"x").unwrap());
        assert_eq!(
            request(&condition).unwrap().only_known_options(),
            Err(Refusal::BadOption)
        );
    }

    #[test]
    fn no_more_options_are_taken_than_there_is_room_for() {
        let of = |options: usize| {
            inner(|writer| {
                for _ in 0..options {
                    writer.option(number::URI_PATH, b"").unwrap();
                }
            })
        };
        assert!(request(&of(MAX_OPTIONS)).is_ok());
        let refusal = request(&of(MAX_OPTIONS + 1)).unwrap_err();
        assert_eq!(refusal, Refusal::BadRequest);
    }

    #[test]
    fn blocks_belong_together_if_all_but_the_block_is_the_same() {
        let of = |path: &str, query: &[u8], block: u32| {
            let bytes = inner(|writer| {
                writer.uri_path(path).unwrap();
                writer.option(number::URI_QUERY, query).unwrap();
                writer.uint(number::BLOCK2, block).unwrap();
                writer.uint(number::SIZE1, block).unwrap();
            });
            request(&bytes).unwrap().exchange()
        };
        let first = of("vm1/a", b"x=1", 0x06);
        assert_eq!(first, of("vm1/a", b"x=1", 0x16));
        assert_ne!(first, of("vm1/b", b"x=1", 0x06));
        assert_ne!(first, of("vm1/ax=1", b"", 0x06));
        assert_ne!(first, of("vm1/a", b"x=2", 0x06));
    }
}
