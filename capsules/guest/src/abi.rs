//! The exports of a component, by the canonical ABI: what `wit-bindgen` would
//! generate, in fewer bytes.
//!
//! A function whose result is more than one number returns the address of the
//! result. What a result points to stays in place until the next call, when
//! the device has copied it: no export needs a second one to free its result.
#![expect(
    unsafe_code,
    reason = "pointers from the canonical ABI; each block says why it may"
)]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::arch::wasm32::unreachable;
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr::null_mut;

use crate::heap::Heap;
use crate::{Capsule, Job, Line, Request, Response, services};

macro_rules! world {
    ($(#[$doc:meta])* $name:ident = $file:literal) => {
        $(#[$doc])*
        pub const $name: [u8; include_bytes!(concat!(env!("OUT_DIR"), $file)).len()] =
            *include_bytes!(concat!(env!("OUT_DIR"), $file));
    };
}

world!(
    /// The world of persistent capsules, for `component-type`.
    PERSISTENT = "/persistent"
);
world!(
    /// The world of ephemeral capsules, for `component-type`.
    EPHEMERAL = "/ephemeral"
);
world!(
    /// The world of capsules that export functions, without the functions.
    SERVICES = "/services"
);

/// What only the one thread of a capsule touches.
#[derive(Debug)]
#[repr(transparent)]
struct Alone<T>(T);

// SAFETY: a capsule has one thread.
unsafe impl<T> Sync for Alone<T> {}

/// The result of the last call: four words.
static RESULT: Alone<Cell<[usize; 4]>> = Alone(Cell::new([0; 4]));

pub(crate) fn result(words: [usize; 4]) -> *const u8 {
    RESULT.0.set(words);
    (&raw const RESULT).cast()
}

unsafe extern "C" {
    /// What the export macro defines with [`allocate`].
    safe fn cabi_realloc(_: *mut u8, _: usize, align: usize, length: usize) -> *mut u8;
}

/// `cabi_realloc`. The device allocates for lists and for text in UTF-8, and
/// of those it knows the length beforehand: it never enlarges a block.
#[inline(always)]
pub fn allocate(heap: &impl Heap, align: usize, length: usize) -> *mut u8 {
    if length == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    let block = heap.take(length);
    if block.is_null() {
        unreachable();
    }
    block
}

/// Bytes that are not written yet. In a capsule the device's allocation
/// function makes them: a second one would be more code.
pub(crate) fn bytes(length: usize) -> Box<[MaybeUninit<u8>]> {
    let block = cabi_realloc(null_mut(), 0, 1, length).cast();
    // SAFETY: it is a block of that length, from the global allocator; one of
    // length 0 is no block, and needs none.
    unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(block, length)) }
}

/// A list of bytes that the device allocated.
///
/// # Safety
///
/// It must come from `cabi_realloc`, with an alignment of 1 and that length,
/// and be the caller's.
unsafe fn owned(list: *mut u8, length: usize) -> Box<[u8]> {
    // SAFETY: see above; the list of length 0 is no block, and needs none.
    unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(list, length)) }
}

/// The capsule, in a static.
#[derive(Debug)]
pub struct Global<T>(Alone<UnsafeCell<Option<T>>>);

impl<T: Capsule> Global<T> {
    /// Not started yet.
    #[expect(clippy::new_without_default, reason = "made by the macro alone")]
    #[must_use]
    pub const fn new() -> Self {
        Self(Alone(UnsafeCell::new(None)))
    }

    #[expect(clippy::mut_from_ref, reason = "see below")]
    fn capsule(&self) -> &mut Option<T> {
        // SAFETY: called once in each export, and a component's exports are
        // never entered while one of them runs.
        unsafe { &mut *self.0.0.get() }
    }

    fn started(&self) -> &mut T {
        match self.capsule() {
            Some(capsule) => capsule,
            // The device called `initialize-handler`, and it returned 0.
            None => unreachable(),
        }
    }

    /// `initialize-handler`
    pub fn start(&self) -> u32 {
        let capsule = self.capsule();
        *capsule = T::start();
        capsule.is_none().into()
    }

    /// `report`
    pub fn report(&self) -> *const u8 {
        let capsule = self.started();
        // In linear memory, `&[&str]` looks as `list<string>` does.
        let resources = capsule.resources();
        result([0, resources.as_ptr().addr(), resources.len(), 0])
    }

    /// `coap-run`
    ///
    /// # Safety
    ///
    /// `message` and `length` must be a list that the device allocated.
    #[inline(always)]
    pub unsafe fn answer(
        &self,
        heap: &impl Heap,
        code: u32,
        observed: usize,
        message: *mut u8,
        length: usize,
    ) -> *const u8 {
        let capsule = self.started();
        // SAFETY: the caller's promise.
        let mut message = unsafe { owned(message, length) };
        let request = message.split_at_mut(observed.min(length)).0;
        let response = match Request::parse(code as u8, request) {
            Some(request) => capsule.handle(&request),
            None => Response::bad_request(),
        };
        let (code, message) = response.into_parts();
        let length = message.len();
        let message = Box::into_raw(message).cast::<u8>();
        if length > 0 {
            // The device reads it before anything is allocated again. (Freeing
            // it as Rust does would tell the compiler that nobody reads it.)
            heap.give(message);
        }
        result([0, code.0.into(), message.expose_provenance(), length])
    }
}

/// `run`
///
/// # Safety
///
/// `input` and `length` must be a list that the device allocated.
pub unsafe fn run<J: Job>(input: *mut u8, length: usize) -> *const u8 {
    // SAFETY: the caller's promise.
    let input = unsafe { owned(input, length) };
    let (error, bytes) = match J::run(Vec::from(input)) {
        Ok(output) => (0, output),
        Err(message) => (1, message.into_bytes()),
    };
    // The device reads it, and then ends the instance.
    let bytes = bytes.leak();
    result([error, bytes.as_ptr().addr(), bytes.len(), 0])
}

/// Logs a panic's message, or its place where the message has arguments.
pub fn log_panic(info: &PanicInfo<'_>) {
    match (info.message().as_str(), info.location()) {
        (Some(message), _) => services::log(message),
        (None, Some(place)) => {
            let mut line = Line::<96>::new();
            line.text("panicked at ").text(place.file());
            services::log(line.text(":").number(place.line()).as_str());
        }
        (None, None) => services::log("panicked"),
    }
}

/// Logs a panic's message.
pub fn format_panic(info: &PanicInfo<'_>) {
    services::log_format(format_args!("{}", info.message()));
}
