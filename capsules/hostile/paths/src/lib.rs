//! Attacks the device, in a different way on each path. On `/fine` it behaves.
#![cfg(target_arch = "wasm32")]
#![cfg_attr(target_arch = "wasm32", no_std)]

use core::hint::black_box;

use sealift_guest::{Capsule, Code, ContentFormat, Request, Response, Vec, rng, services};

struct Hostile;

impl Capsule for Hostile {
    fn start() -> Option<Self> {
        Some(Self)
    }

    fn resources(&self) -> &'static [&'static str] {
        &[
            "fine", "spin", "alloc", "grow", "recurse", "stack", "trap", "flood", "random", "junk",
            "huge",
        ]
    }

    fn handle(&mut self, request: &Request<'_>) -> Response {
        match request.path() {
            "fine" => Response::text("fine"),
            "spin" => spin(),
            "alloc" => allocate(),
            "grow" => grow(),
            "recurse" => {
                let depth = recurse(request.payload().len() as u32);
                Response::content(ContentFormat::BYTES, &depth.to_be_bytes())
            }
            "stack" => {
                let sum = shadow_stack(request.payload().len() as u32);
                Response::content(ContentFormat::BYTES, &sum.to_be_bytes())
            }
            "trap" => core::arch::wasm32::unreachable(),
            "flood" => loop {
                services::log("a line that nobody needs");
            },
            "random" => {
                let bytes = rng::bytes(1 << 31);
                Response::content(ContentFormat::BYTES, &bytes)
            }
            "junk" => Response::new(Code::new(1, 1)),
            "huge" => Response::content(ContentFormat::BYTES, &[b'x'; 1300]),
            _ => Response::not_found(),
        }
    }
}

/// Never ends.
fn spin() -> ! {
    let mut n = 0_u32;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

/// Allocates and keeps without end.
fn allocate() -> Response {
    let mut hoard = Vec::new();
    loop {
        hoard.push(Vec::<u8>::with_capacity(256));
        black_box(&hoard);
    }
}

/// Asks for memory page by page, whatever the answer.
fn grow() -> ! {
    loop {
        black_box(core::arch::wasm32::memory_grow::<0>(1024));
    }
}

/// Recurses without end, and without a frame in linear memory.
#[inline(never)]
#[expect(unconditional_recursion, reason = "that is the attack")]
fn recurse(n: u32) -> u32 {
    recurse(n.wrapping_add(1)).wrapping_mul(3) ^ n
}

/// Recurses without end, with frames in linear memory.
#[inline(never)]
#[expect(unconditional_recursion, reason = "that is the attack")]
fn shadow_stack(n: u32) -> u32 {
    let mut frame = [n; 32];
    black_box(&mut frame);
    shadow_stack(frame[31].wrapping_add(1)) ^ frame[0]
}

sealift_guest::persistent!(Hostile);
