//! What a capsule is, and how it becomes the component's exports.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::{Request, Response};

/// A persistent capsule.
pub trait Capsule: Sized {
    /// Called once, before anything else; `None` where it cannot work, which
    /// the device takes as a failed start.
    fn start() -> Option<Self>;

    /// Paths for discovery, without a leading slash.
    fn resources(&self) -> &[&str] {
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

/// Makes a [`Capsule`] the exports of this component, and defines the panic
/// handler: `persistent!(Type)` traps on panic, `persistent!(Type, panic = log)`
/// logs it first.
#[macro_export]
macro_rules! persistent {
    ($capsule:ty $(, panic = $panic:ident)?) => {
        const _: () = {
            static CAPSULE: $crate::__private::Global<$capsule> = $crate::__private::Global::new();

            struct Component;

            impl $crate::__private::persistent::Guest for Component {
                fn initialize_handler() -> ::core::result::Result<(), ()> {
                    $crate::__private::start(&CAPSULE)
                }

                fn report() -> ::core::result::Result<
                    $crate::Vec<$crate::String>,
                    $crate::__private::persistent::CoapErr,
                > {
                    $crate::__private::resources(&CAPSULE)
                }

                fn coap_run(
                    code: u8,
                    observed_len: u32,
                    message: $crate::Vec<u8>,
                ) -> ::core::result::Result<
                    (u8, $crate::Vec<u8>),
                    $crate::__private::persistent::CoapErr,
                > {
                    $crate::__private::answer(&CAPSULE, code, observed_len, message)
                }
            }

            $crate::__private::persistent::bindings::export_persistent!(
                Component with_types_in $crate::__private::persistent::bindings
            );
        };
        $crate::__panic_handler!($($panic)?);
    };
}

/// Makes a [`Job`] the export of this component, and defines the panic
/// handler, as [`persistent!`] does.
#[macro_export]
macro_rules! ephemeral {
    ($job:ty $(, panic = $panic:ident)?) => {
        const _: () = {
            struct Component;

            impl $crate::__private::ephemeral::Guest for Component {
                fn run(
                    input: $crate::Vec<u8>,
                ) -> ::core::result::Result<$crate::Vec<u8>, $crate::String> {
                    <$job as $crate::Job>::run(input)
                }
            }

            $crate::__private::ephemeral::bindings::export_ephemeral!(
                Component with_types_in $crate::__private::ephemeral::bindings
            );
        };
        $crate::__panic_handler!($($panic)?);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __panic_handler {
    () => {
        #[panic_handler]
        fn panic(_: &::core::panic::PanicInfo<'_>) -> ! {
            ::core::arch::wasm32::unreachable()
        }
    };
    (log) => {
        #[panic_handler]
        fn panic(info: &::core::panic::PanicInfo<'_>) -> ! {
            match info.message().as_str() {
                Some(message) => $crate::services::log(message),
                None => $crate::log!("{}", info.message()),
            }
            ::core::arch::wasm32::unreachable()
        }
    };
}

/// The capsule, in a static.
#[derive(Debug)]
pub struct Global<T>(RefCell<Option<T>>);

#[expect(unsafe_code, reason = "a static must be Sync")]
// SAFETY: a capsule has one thread.
unsafe impl<T> Sync for Global<T> {}

impl<T> Global<T> {
    /// Not started yet.
    #[expect(clippy::new_without_default, reason = "made by the macro alone")]
    #[must_use]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }
}

/// `initialize-handler`
#[expect(clippy::result_unit_err, reason = "as in the WIT")]
pub fn start<T: Capsule>(global: &Global<T>) -> Result<(), ()> {
    let mut capsule = global.0.try_borrow_mut().map_err(|_| ())?;
    *capsule = Some(T::start().ok_or(())?);
    Ok(())
}

/// `report`
pub fn resources<T: Capsule>(global: &Global<T>) -> Result<Vec<String>, persistent::CoapErr> {
    let capsule = global.0.try_borrow();
    let capsule = capsule.as_ref().ok().and_then(|c| c.as_ref());
    let capsule = capsule.ok_or(persistent::CoapErr::HandlerNotBuilt)?;
    Ok(capsule.resources().iter().map(|&r| r.into()).collect())
}

/// `coap-run`
pub fn answer<T: Capsule>(
    global: &Global<T>,
    code: u8,
    observed_len: u32,
    mut message: Vec<u8>,
) -> Result<(u8, Vec<u8>), persistent::CoapErr> {
    let mut capsule = global.0.try_borrow_mut();
    let capsule = capsule.as_mut().ok().and_then(|c| c.as_mut());
    let capsule = capsule.ok_or(persistent::CoapErr::HandlerNotBuilt)?;
    let request = message.get(..observed_len as usize).unwrap_or_default();
    let response = match Request::parse(code, request) {
        Some(request) => capsule.handle(&request),
        None => Response::bad_request(),
    };
    // The request's buffer, for the response.
    response.encode(&mut message);
    Ok((response.code(), message))
}

/// Bindings of `coap-server-guest`.
pub mod persistent {
    #[allow(
        unsafe_code,
        missing_docs,
        unreachable_pub,
        clippy::all,
        reason = "generated from the WIT"
    )]
    pub mod bindings {
        wit_bindgen::generate!({
            inline: "
                package sealift:guest-persistent;
                world persistent {
                    export ariel:wasm-bindings/coap-server-guest@0.0.1;
                }
            ",
            path: "../wit/deps/ariel-wasm-bindings",
            pub_export_macro: true,
            export_macro_name: "export_persistent",
            generate_all,
        });
    }
    pub use bindings::exports::ariel::wasm_bindings::coap_server_guest::{CoapErr, Guest};
}

/// Bindings of `job`.
pub mod ephemeral {
    #[allow(
        unsafe_code,
        missing_docs,
        unreachable_pub,
        clippy::all,
        reason = "generated from the WIT"
    )]
    pub mod bindings {
        wit_bindgen::generate!({
            inline: "
                package sealift:guest-ephemeral;
                world ephemeral {
                    export sealift:capsule/job@0.1.0;
                }
            ",
            path: "../wit",
            pub_export_macro: true,
            export_macro_name: "export_ephemeral",
            generate_all,
        });
    }
    pub use bindings::exports::sealift::capsule::job::Guest;
}
