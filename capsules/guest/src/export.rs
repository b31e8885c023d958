//! What a capsule is.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Request, Response};

/// A persistent capsule.
pub trait Capsule: Sized {
    /// Called once, before anything else; `None` where it cannot work, which
    /// the device takes as a failed start.
    fn start() -> Option<Self>;

    /// Paths for discovery, without a leading slash.
    fn resources(&self) -> &'static [&'static str] {
        &[]
    }

    /// Answers a request.
    fn handle(&mut self, request: &Request<'_>) -> Response;
}

/// An ephemeral capsule.
pub trait Job {
    /// Turns the input into the output. The error is text for the operator.
    ///
    /// # Errors
    ///
    /// Where it cannot.
    fn run(input: Vec<u8>) -> Result<Vec<u8>, String>;
}

/// Makes a [`Capsule`] the exports of this component, and defines its panic
/// handler and its allocator.
///
/// `persistent!(Type)` traps on panic. `persistent!(Type, panic = log)` logs
/// the message first, which makes the log an import; of a message that has to
/// be formatted it logs the place alone. `panic = format` formats it, at the
/// price of some kilobytes.
///
/// `persistent!(Type, heap = bump)` takes the smaller allocator, which is for
/// capsules that keep nothing on the heap from one request to the next.
#[macro_export]
macro_rules! persistent {
    ($capsule:ty $(, panic = $panic:ident)? $(, heap = $heap:ident)? $(,)?) => {
        $crate::__component!("persistent", $($heap)?);
        $crate::__panic_handler!($($panic)?);

        // Elsewhere, tests alone use it.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() -> Option<$capsule> = <$capsule as $crate::Capsule>::start;

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "exports of the canonical ABI")]
        const _: () = {
            use $crate::__private as abi;

            static CAPSULE: abi::Global<$capsule> = abi::Global::new();

            #[unsafe(export_name = "ariel:wasm-bindings/coap-server-guest@0.0.1#initialize-handler")]
            extern "C" fn initialize() -> u32 {
                CAPSULE.start()
            }

            #[unsafe(export_name = "ariel:wasm-bindings/coap-server-guest@0.0.1#report")]
            extern "C" fn report() -> *const u8 {
                CAPSULE.report()
            }

            #[unsafe(export_name = "ariel:wasm-bindings/coap-server-guest@0.0.1#coap-run")]
            unsafe extern "C" fn run(
                code: u32,
                observed: usize,
                message: *mut u8,
                length: usize,
            ) -> *const u8 {
                // SAFETY: the canonical ABI passes a list that the capsule owns.
                unsafe { CAPSULE.answer(&__SEALIFT_HEAP, code, observed, message, length) }
            }
        };
    };
}

/// Makes a [`Job`] the export of this component, and defines its panic handler
/// and its allocator, as [`persistent!`] does. `heap = once` takes the smallest
/// allocator, which takes no memory back.
#[macro_export]
macro_rules! ephemeral {
    ($job:ty $(, panic = $panic:ident)? $(, heap = $heap:ident)? $(,)?) => {
        $crate::__component!("ephemeral", $($heap)?);
        $crate::__panic_handler!($($panic)?);

        // Elsewhere, tests alone use it.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn($crate::Vec<u8>) -> Result<$crate::Vec<u8>, $crate::String> =
            <$job as $crate::Job>::run;

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "exports of the canonical ABI")]
        const _: () = {
            #[unsafe(export_name = "sealift:capsule/job@0.1.0#run")]
            unsafe extern "C" fn run(input: *mut u8, length: usize) -> *const u8 {
                // SAFETY: the canonical ABI passes a list that the capsule owns.
                unsafe { $crate::__private::run::<$job>(input, length) }
            }
        };
    };
}

/// The allocator, the function by which the device allocates, and the
/// description of the component's world.
#[doc(hidden)]
#[macro_export]
macro_rules! __component {
    ($world:tt,) => {
        $crate::__component!($world, $crate::heap::FirstFit, $crate::heap::FirstFit);
    };
    ($world:tt, bump) => {
        $crate::__component!($world, $crate::heap::Bump, $crate::heap::Bump::new());
    };
    ($world:tt, once) => {
        $crate::__component!($world, $crate::heap::Once, $crate::heap::Once::new());
    };
    ($world:tt, none) => {
        $crate::__section!($world);

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[global_allocator]
            static HEAP: $crate::heap::NoHeap = $crate::heap::NoHeap;
        };
    };
    ($world:tt, $heap:ty, $new:expr) => {
        $crate::__section!($world);

        #[cfg(target_arch = "wasm32")]
        #[global_allocator]
        static __SEALIFT_HEAP: $heap = $new;

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "an export of the canonical ABI")]
        const _: () = {
            #[unsafe(export_name = "cabi_realloc")]
            extern "C" fn realloc(_: *mut u8, _: usize, align: usize, length: usize) -> *mut u8 {
                $crate::__private::allocate(&__SEALIFT_HEAP, align, length)
            }
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __section {
    ($world:tt) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "a section of the module")]
        const _: () = {
            #[unsafe(link_section = concat!("component-type:sealift-guest:", $world))]
            static WORLD: [u8; $crate::__world!($world).len()] = $crate::__world!($world);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __world {
    ("persistent") => {
        $crate::__private::PERSISTENT
    };
    ("ephemeral") => {
        $crate::__private::EPHEMERAL
    };
    ("services") => {
        $crate::__private::SERVICES
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __panic_handler {
    () => {
        $crate::__panic_handler!(|_| ());
    };
    (log) => {
        $crate::__panic_handler!($crate::__private::log_panic);
    };
    (format) => {
        $crate::__panic_handler!($crate::__private::format_panic);
    };
    ($report:expr) => {
        #[cfg(target_arch = "wasm32")]
        #[panic_handler]
        fn panic(info: &::core::panic::PanicInfo<'_>) -> ! {
            let report: fn(&::core::panic::PanicInfo<'_>) = $report;
            report(info);
            ::core::arch::wasm32::unreachable()
        }
    };
}
