//! What the device was asked, and what it said, as far as that arrived and is
//! authentic: by this the client is judged.

use std::ops::Range;

use sealift_oscore::coap::{BlockOption, Code, Inner};
use sealift_wire::ComponentStatus;

/// A request that the device could decrypt.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) code: Code,
    path: Vec<Vec<u8>>,
    block1: Option<BlockOption>,
    length: usize,
    /// The first authentic answer that the client got for it: code, options, payload.
    answer: Option<Vec<u8>>,
}

/// All of them, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Vec<Asked>);

impl Asked {
    fn new(inner: &Inner<'_>) -> Self {
        Self {
            code: inner.code,
            path: inner.uri_path().map(<[u8]>::to_vec).collect(),
            block1: inner.block1().ok().flatten(),
            length: inner.payload.len(),
            answer: None,
        }
    }

    fn is(&self, code: Code, path: &[&str]) -> bool {
        self.code == code && self.is_for(path)
    }

    fn is_for(&self, path: &[&str]) -> bool {
        self.path
            .iter()
            .eq(path.iter().map(|segment| segment.as_bytes()))
    }

    /// Which bytes of a body it carries.
    fn range(&self) -> Range<usize> {
        let start = self.block1.map_or(0, BlockOption::offset);
        start..start + self.length
    }

    fn inner(&self) -> Option<Inner<'_>> {
        Inner::parse(self.answer.as_deref()?).ok()
    }

    fn agreed(&self) -> Option<Inner<'_>> {
        self.inner().filter(|inner| inner.code.class() == 2)
    }
}

impl Heard {
    /// The device was asked.
    pub(super) fn ask(&mut self, inner: &Inner<'_>) {
        self.0.push(Asked::new(inner));
    }

    /// How many requests there were.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// An authentic answer to the request of this number reaches the client, while it
    /// waits for one.
    pub(super) fn answer(&mut self, number: usize, plaintext: &[u8]) {
        let newest = number + 1 == self.0.len();
        if let Some(asked) = self.0.get_mut(number).filter(|_| newest)
            && asked.answer.is_none()
            && Inner::parse(plaintext).is_ok_and(|inner| inner.code.is_response())
        {
            asked.answer = Some(plaintext.to_vec());
        }
    }

    pub(super) fn last(&self) -> Option<&Asked> {
        self.0.last()
    }

    /// How many requests were answered.
    pub(super) fn authentic(&self) -> usize {
        self.0.iter().filter(|asked| asked.answer.is_some()).count()
    }

    /// The code of the answer to the last request.
    pub(super) fn last_code(&self) -> Option<Code> {
        self.last()?.inner().map(|inner| inner.code)
    }

    /// Whether the answers to the last requests, which are for this, make up a body
    /// that `is_it`.
    pub(super) fn answered(
        &self,
        code: Code,
        path: &[&str],
        is_it: impl Fn(&[u8]) -> bool,
    ) -> bool {
        let mut body = Vec::new();
        for asked in self.0.iter().rev() {
            if !asked.is(code, path) {
                return false;
            }
            if let Some(inner) = asked.agreed() {
                body.splice(0..0, inner.payload.iter().copied());
                if is_it(&body) {
                    return true;
                }
            }
        }
        false
    }

    /// The last request was this one, and the device agreed.
    pub(super) fn agreed(&self, code: Code, path: &[&str]) {
        let last = self.last().expect("a request");
        assert!(last.is(code, path), "{last:?}");
        assert!(last.agreed().is_some(), "{last:?}");
    }

    /// The device said that it took each byte of a body of this length.
    pub(super) fn took(&self, code: Code, path: &[&str], length: usize) {
        let mut has = vec![false; length];
        for asked in self.0.iter().filter(|asked| asked.is(code, path)) {
            if asked.agreed().is_some()
                && let Some(part) = has.get_mut(asked.range())
            {
                part.fill(true);
            }
        }
        assert!(has.iter().all(|has| *has), "it was done without all of it");
    }

    /// Whether a request with this code was ever answered with that one.
    pub(super) fn said(&self, code: Code, answer: Code) -> bool {
        let mut asked = self.0.iter().filter(|asked| asked.code == code);
        asked.any(|asked| asked.inner().is_some_and(|inner| inner.code == answer))
    }

    fn puts(&self, path: &[&str]) -> impl Iterator<Item = &Asked> {
        let asked = self.0.iter();
        asked.filter(move |asked| asked.is(Code::PUT, path))
    }

    /// How far the bytes went that were put there, counted from `offset`.
    pub(super) fn sent(&self, path: &[&str], offset: usize) -> impl Iterator<Item = usize> {
        self.puts(path)
            .map(move |asked| asked.range().end.saturating_sub(offset))
    }

    /// Which bytes were put there and taken, counted from `offset`.
    pub(super) fn taken(&self, path: &[&str], offset: usize) -> impl Iterator<Item = Range<usize>> {
        let taken = self.puts(path).filter(|asked| asked.agreed().is_some());
        taken.map(move |asked| {
            let Range { start, end } = asked.range();
            start.saturating_sub(offset)..end.saturating_sub(offset)
        })
    }

    /// Which bytes of the payload of this envelope the device said that it has.
    pub(super) fn received(&self, digest: [u8; 32]) -> impl Iterator<Item = Range<usize>> {
        // Of a status in one piece: it is never longer than a block of 1024 bytes, and
        // with small ones it is put together.
        let mut body = Vec::new();
        self.0.iter().filter_map(move |asked| {
            let inner = asked.agreed().filter(|_| asked.code == Code::GET)?;
            let later = inner
                .block2()
                .ok()
                .flatten()
                .is_some_and(|block| block.num > 0);
            if !later {
                body.clear();
            }
            body.extend_from_slice(inner.payload);
            let status = ComponentStatus::from_cbor(&body).ok()?;
            let open = status.transfer.filter(|open| open.digest == digest)?;
            Some(0..open.received as usize)
        })
    }
}
