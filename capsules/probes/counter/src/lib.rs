//! Counts, in memory, what it is asked to count; and grows, spins and crashes
//! when it is told to. It imports nothing.
#![cfg(target_arch = "wasm32")]
#![cfg_attr(target_arch = "wasm32", no_std)]

use core::hint::black_box;

use sealift_guest::{Capsule, Line, Method, Request, Response};

struct Counter {
    count: u32,
}

impl Capsule for Counter {
    fn start() -> Option<Self> {
        Some(Self { count: 0 })
    }

    fn resources(&self) -> &'static [&'static str] {
        &["count", "grow", "spin", "crash"]
    }

    fn handle(&mut self, request: &Request<'_>) -> Response {
        match (request.path(), request.method()) {
            ("count", Method::Get) => {}
            ("count", Method::Post) => self.count = self.count.wrapping_add(1),
            ("grow", Method::Post) => {
                core::arch::wasm32::memory_grow::<0>(4096);
            }
            ("spin", Method::Post) => spin(),
            ("crash", Method::Post) => core::arch::wasm32::unreachable(),
            ("count" | "grow" | "spin" | "crash", _) => return Response::method_not_allowed(),
            _ => return Response::not_found(),
        }
        Response::text(Line::<16>::new().number(self.count).as_str())
    }
}

/// Never ends.
fn spin() -> ! {
    let mut n = 0_u32;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

sealift_guest::persistent!(Counter);
