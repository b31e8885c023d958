//! The two symbols that Wasmtime takes from its surroundings where it is built
//! without `std`: a pointer to what runs now.
//!
//! A board chooses one:
//!
//! - feature `tls-static`: one pointer for the whole program. For programs in
//!   which capsules run on one thread only, and never in an interrupt.
//! - feature `tls-thread`: one pointer for each thread. For programs with
//!   `std`.
//! - neither: the board defines the symbols itself.
//!
//! Where Wasmtime is built with `std`, as in a workspace build together with
//! the translator, it keeps the pointer itself and does not use these.

#[cfg(any(feature = "tls-static", feature = "tls-thread"))]
mod symbols {
    #![expect(
        unsafe_code,
        reason = "Wasmtime links to these two names; the signatures are those of its `capi`"
    )]

    #[cfg(all(feature = "tls-static", not(feature = "tls-thread")))]
    mod slot {
        use core::ptr::null_mut;
        use core::sync::atomic::{AtomicPtr, Ordering};

        static SLOT: AtomicPtr<u8> = AtomicPtr::new(null_mut());

        pub(super) fn get() -> *mut u8 {
            SLOT.load(Ordering::Relaxed)
        }

        pub(super) fn set(pointer: *mut u8) {
            SLOT.store(pointer, Ordering::Relaxed);
        }
    }

    #[cfg(feature = "tls-thread")]
    mod slot {
        extern crate std;

        use core::cell::Cell;
        use core::ptr::null_mut;

        std::thread_local! {
            static SLOT: Cell<*mut u8> = const { Cell::new(null_mut()) };
        }

        pub(super) fn get() -> *mut u8 {
            SLOT.get()
        }

        pub(super) fn set(pointer: *mut u8) {
            SLOT.set(pointer);
        }
    }

    // Slot 0 is the only one: slot 1 belongs to the asynchronous component
    // model, which is not built.

    // SAFETY: no other crate defines this name; Wasmtime declares it so.
    #[unsafe(no_mangle)]
    extern "C" fn wasmtime_tls_get(_slot: usize) -> *mut u8 {
        slot::get()
    }

    // SAFETY: as above.
    #[unsafe(no_mangle)]
    extern "C" fn wasmtime_tls_set(_slot: usize, pointer: *mut u8) {
        slot::set(pointer);
    }
}
