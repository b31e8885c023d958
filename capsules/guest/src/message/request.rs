//! Requests.
#![expect(
    unsafe_code,
    reason = "checking again that ASCII is text costs 2 kB of bytecode; see `path`"
)]

use super::options::{Head, Options, uint};
use super::{ACCEPT, CONTENT_FORMAT, ContentFormat, Method, URI_PATH, URI_QUERY};

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    code: u8,
    message: &'a [u8],
    /// Where in the message the joined path is.
    path: (usize, usize),
    /// Where the options behind the path begin, and where they end.
    behind: (usize, usize),
    /// The number of the option in front of those.
    last: u32,
}

impl<'a> Request<'a> {
    /// Splits the message that a device hands over; `None` where it is not
    /// well-formed, or its path is not ASCII, which no resource's is. Joins
    /// the segments of the path, in place.
    #[must_use]
    pub fn parse(code: u8, message: &'a mut [u8]) -> Option<Self> {
        let mut at = 0;
        let mut number = 0_u32;
        let (mut start, mut end, mut behind, mut last) = (0, 0, 0, 0);
        let mut bits = 0;
        while let Some(option) = Head::read(message, at)? {
            number += option.delta;
            if number <= u32::from(URI_PATH) {
                (behind, last) = (option.end, number);
            }
            if number == u32::from(URI_PATH) {
                // The joined path ends at or before this option's head, which
                // has a byte at least, and the option is inside the message.
                if option.delta > 0 {
                    (start, end) = (at, at);
                } else {
                    // SAFETY: as said.
                    *unsafe { message.get_unchecked_mut(end) } = b'/';
                    end += 1;
                }
                let mut from = option.value;
                while from != option.end {
                    // SAFETY: as said.
                    let byte = *unsafe { message.get_unchecked(from) };
                    // SAFETY: as said; `end` is before `from`.
                    *unsafe { message.get_unchecked_mut(end) } = byte;
                    bits |= byte;
                    from += 1;
                    end += 1;
                }
            }
            at = option.end;
        }
        bits.is_ascii().then_some(Self {
            code,
            message,
            path: (start, end),
            behind: (behind, at),
            last,
        })
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        match self.code {
            1 => Method::Get,
            2 => Method::Post,
            3 => Method::Put,
            4 => Method::Delete,
            other => Method::Other(other),
        }
    }

    /// The path below the capsule, its segments joined by slashes:
    /// `"temperature/celsius"`. (A segment with a slash in it looks as two.)
    #[must_use]
    pub fn path(&self) -> &'a str {
        let (start, end) = self.path;
        // SAFETY: `parse` wrote there.
        let path = unsafe { self.message.get_unchecked(start..end) };
        // SAFETY: it wrote nothing but ASCII.
        unsafe { core::str::from_utf8_unchecked(path) }
    }

    /// Whether that is the path.
    #[must_use]
    pub fn is(&self, path: &str) -> bool {
        let own = self.path().as_bytes();
        let mut places = 0..path.len();
        own.len() == path.len() && places.all(|i| own.get(i) == path.as_bytes().get(i))
    }

    /// The segments of the path.
    pub fn segments(&self) -> impl Iterator<Item = &'a str> {
        let path = self.path();
        path.split('/').filter(|_| !path.is_empty())
    }

    /// The other options, as pairs of number and value.
    pub fn options(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let (start, end) = self.path;
        // Where there is no path, those that would be in front of one.
        let before = if start == end { self.behind.0 } else { start };
        Options::new(0, self.message, (0, before))
            .chain(self.behind())
            .filter(|(number, _)| *number != URI_PATH)
    }

    /// The value of an option, the first one where there are several.
    #[must_use]
    pub fn option(&self, number: u16) -> Option<&'a [u8]> {
        self.options()
            .find_map(|(found, value)| (found == number).then_some(value))
    }

    /// The parts of the query: `b"unit=celsius"`.
    pub fn query(&self) -> impl Iterator<Item = &'a [u8]> {
        self.behind()
            .filter_map(|(number, value)| (number == URI_QUERY).then_some(value))
    }

    /// What the query says about `key`: `b"celsius"` for `unit`.
    #[must_use]
    pub fn parameter(&self, key: &str) -> Option<&'a [u8]> {
        self.query()
            .find_map(|part| part.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
    }

    /// What the payload is, where the client says so.
    #[must_use]
    pub fn content_format(&self) -> Option<ContentFormat> {
        uint(self.option(CONTENT_FORMAT)?).map(ContentFormat)
    }

    /// What the client wants the response to be, where it says so.
    #[must_use]
    pub fn accept(&self) -> Option<ContentFormat> {
        uint(self.option(ACCEPT)?).map(ContentFormat)
    }

    /// The options behind the path.
    fn behind(&self) -> Options<'a> {
        Options::new(self.last, self.message, self.behind)
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        let (_, marker) = self.behind;
        self.message.get(marker + 1..).unwrap_or_default()
    }

    /// The payload, where it is text.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        core::str::from_utf8(self.payload()).ok()
    }

    /// The payload, where it is a number in decimal digits: `40`. Reading it
    /// by way of [`text`](Self::text) and `str::parse` is some kilobytes of
    /// bytecode more.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        let digits = self.payload();
        let number = digits.iter().try_fold(0_u32, |number, byte| {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number.checked_mul(10)?.checked_add(digit.into())
        });
        number.filter(|_| !digits.is_empty())
    }
}
