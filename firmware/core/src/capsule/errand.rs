//! The way from a capsule's stack to the device and back.
//!
//! A capsule runs on a fiber: a stack of its own, so that it can be left in
//! the midst of a call. That stack is small, and where there is no virtual
//! memory nothing notices when it overflows. So no code of a board runs on
//! it. A host function leaves an [`Errand`] at the [`Hatch`] and yields; who
//! polls the [`Activity`](super::Activity) does it on the device's own stack,
//! and then goes on with the capsule.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::poll_fn;
use core::task::Poll;

use spin::Mutex;

use super::desk::Desk;

/// What came of one attempt at an errand.
pub(super) enum Turn<R> {
    /// It is done.
    Done(R),
    /// Not yet: to be tried again at this time, or soon.
    Waits(Option<u64>),
}

/// One attempt at an errand.
type Attempt = Box<dyn FnMut(&mut dyn Desk) -> Turn<()> + Send>;

/// Something to do for a capsule that waits for it.
pub(super) struct Errand {
    /// To be called until it is done.
    pub(super) what: Attempt,
    /// The fuel that the capsule had left when it left this.
    pub(super) fuel: u64,
}

/// Where errands are left. Clones are the same hatch.
///
/// Wasmtime wants what a store holds to be `Send`, so there are locks here;
/// an activity stays on one thread, and nobody ever waits for one.
#[derive(Clone, Default)]
pub(super) struct Hatch(Arc<Mutex<Option<Errand>>>);

impl Hatch {
    /// Has `what` done, and waits for its result.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        fuel: u64,
        mut what: impl FnMut(&mut dyn Desk) -> Turn<R> + Send + 'static,
    ) -> R {
        let answer = Arc::new(Mutex::new(None));
        let place = Arc::clone(&answer);
        let what = Box::new(move |desk: &mut dyn Desk| match what(desk) {
            Turn::Done(result) => {
                *place.lock() = Some(result);
                Turn::Done(())
            }
            Turn::Waits(until) => Turn::Waits(until),
        });
        *self.0.lock() = Some(Errand { what, fuel });
        poll_fn(|_| answer.lock().take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// The errand that was left, if one was.
    pub(super) fn take(&self) -> Option<Errand> {
        self.0.lock().take()
    }
}
