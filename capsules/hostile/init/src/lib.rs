//! Never finishes to start.
#![cfg(target_arch = "wasm32")]
#![cfg_attr(target_arch = "wasm32", no_std)]

use core::hint::black_box;

use sealift_guest::{Capsule, Request, Response};

struct Hostile;

impl Capsule for Hostile {
    fn start() -> Option<Self> {
        let mut n = 0_u32;
        loop {
            n = black_box(n.wrapping_add(1));
        }
    }

    fn handle(&mut self, _: &Request<'_>) -> Response {
        Response::text("unreachable")
    }
}

sealift_guest::persistent!(Hostile);
