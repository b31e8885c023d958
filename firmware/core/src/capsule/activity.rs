//! What a capsule is doing, a slice at a time.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::SLICE;
use super::desk::Desk;
use super::errand::{Errand, Hatch, Turn};

/// Something a capsule is doing: a start, a call or a job.
///
/// It goes on only while it is polled; dropped, it is over, and so is the
/// capsule that was doing it. It stays on the thread that made it.
#[must_use = "it goes on only while it is polled"]
pub struct Activity<T>(Box<dyn Work<T>>);

/// How far an [`Activity`] came.
#[derive(Debug)]
pub enum Progress<T> {
    /// It is over; polling it again is of no use.
    Done(T),
    /// It used up its slice of fuel: poll again when the others had their
    /// turn.
    Again,
    /// It waits until this time, in the milliseconds of
    /// [`Host::now_ms`](super::Host::now_ms); or, where there is none, for
    /// something that the host will see when it is asked again soon. Polling
    /// it too early does no harm.
    Waits(Option<u64>),
}

impl<T: 'static> Activity<T> {
    /// `code` is what runs on the capsule's stack and leaves its errands at
    /// `hatch`; they are done at `desk`. What comes out of it becomes, with
    /// the desk, the result.
    pub(super) fn new<D: Desk + 'static, R: 'static>(
        hatch: Hatch,
        desk: Box<D>,
        code: impl Future<Output = R> + 'static,
        finish: impl FnOnce(R, Box<D>) -> T + 'static,
    ) -> Self {
        Self(Box::new(Running {
            code: Some(Box::pin(code)),
            ending: Some((desk, finish)),
            hatch,
            errand: None,
            slice: None,
        }))
    }

    /// Goes on for a slice, or to the next host call that waits: [`SLICE`] units of
    /// fuel in the capsule's own code, and at most three times as many where host
    /// calls come between, what they cost included.
    pub fn poll(&mut self) -> Progress<T> {
        self.0.step()
    }

    /// Goes on to the end without letting others in. For tests, and never
    /// for a capsule that waits for what only others could bring about.
    pub fn finish(mut self) -> T {
        loop {
            if let Progress::Done(result) = self.poll() {
                return result;
            }
        }
    }
}

trait Work<T> {
    fn step(&mut self) -> Progress<T>;
}

struct Running<D, R, F> {
    /// `None` once it is over.
    code: Option<Pin<Box<dyn Future<Output = R>>>>,
    /// The desk, and what makes the result of it.
    ending: Option<(Box<D>, F)>,
    hatch: Hatch,
    errand: Option<Errand>,
    /// The fuel that there was at the first errand of this slice.
    slice: Option<u64>,
}

impl<D: Desk, R, F, T> Work<T> for Running<D, R, F>
where
    F: FnOnce(R, Box<D>) -> T,
{
    fn step(&mut self) -> Progress<T> {
        let progress = self.go_on();
        self.slice = None;
        progress
    }
}

impl<D: Desk, R, F> Running<D, R, F> {
    fn go_on<T>(&mut self) -> Progress<T>
    where
        F: FnOnce(R, Box<D>) -> T,
    {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let (Some(code), Some((desk, _))) = (&mut self.code, &mut self.ending) else {
                return Progress::Waits(None);
            };
            if let Some(errand) = &mut self.errand {
                if let Turn::Waits(until) = (errand.what)(desk.as_mut()) {
                    return Progress::Waits(until);
                }
                let before = *self.slice.get_or_insert(errand.fuel);
                let used = before.saturating_sub(errand.fuel);
                self.errand = None;
                if used >= SLICE {
                    return Progress::Again;
                }
            }
            match code.as_mut().poll(&mut cx) {
                Poll::Ready(result) => {
                    // First of all what lies on the capsule's stack.
                    self.code = None;
                    return match self.ending.take() {
                        Some((desk, finish)) => Progress::Done(finish(result, desk)),
                        None => Progress::Waits(None),
                    };
                }
                Poll::Pending => match self.hatch.take() {
                    Some(errand) => self.errand = Some(errand),
                    None => return Progress::Again,
                },
            }
        }
    }
}
