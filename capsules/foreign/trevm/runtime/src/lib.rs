//! What a capsule that is written against the WIT alone has to bring along
//! itself, as treVM's do: an allocator, a panic handler, and for those that
//! answer requests the way from the message to a handler of the
//! `coap-handler` crates.
#![no_std]

extern crate alloc;
#[cfg(not(target_arch = "wasm32"))]
extern crate std;

use alloc::string::String;
use alloc::vec::Vec;

use coap_handler::{Handler, Record, Reporting};
use coap_message::error::RenderableOnMinimal;
use coap_message_implementations::inmemory::Message;
use coap_message_implementations::inmemory_write::GenericMessage;

#[cfg(target_arch = "wasm32")]
mod heap {
    use talc::locking::AssumeUnlockable;
    use talc::{ClaimOnOom, Span, Talc, Talck};

    const SIZE: usize = 16 * 1024;

    static mut MEMORY: [u8; SIZE] = [0; SIZE];

    #[global_allocator]
    static HEAP: Talck<AssumeUnlockable, ClaimOnOom> = {
        let span = Span::from_array((&raw const MEMORY).cast_mut());
        // SAFETY: nothing else has a use for that memory.
        Talc::new(unsafe { ClaimOnOom::new(span) }).lock()
    };
}

#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Has a handler answer a request. The answer is written into the buffer that
/// the request came in. `None` where there is no room for it.
pub fn answer(
    mut handler: impl Handler,
    method: u8,
    length: u32,
    mut buffer: Vec<u8>,
) -> Option<(u8, Vec<u8>)> {
    let extracted = {
        let request = buffer.get(..usize::try_from(length).ok()?)?;
        handler.extract_request_data(&Message::new(method, request))
    };
    buffer.fill(0);
    let mut code = 0;
    let mut response = GenericMessage::new(&mut code, &mut buffer);
    match extracted {
        Ok(data) => handler.build_response(&mut response, data).ok()?,
        Err(error) => error.render(&mut response).ok()?,
    }
    let length = response.finish();
    buffer.truncate(length);
    Some((code, buffer))
}

/// The paths of a handler's resources.
pub fn paths(handler: &impl Reporting) -> Vec<String> {
    let mut paths = Vec::new();
    for record in handler.report() {
        let mut path = String::new();
        for segment in record.path() {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(segment.as_ref());
        }
        paths.push(path);
    }
    paths
}
