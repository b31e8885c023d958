//! Panics when it starts.
#![no_std]

use sealift_guest::{Capsule, Request, Response};

struct Crasher;

impl Capsule for Crasher {
    fn start() -> Option<Self> {
        panic!("this capsule never starts");
    }

    fn handle(&mut self, _: &Request<'_>) -> Response {
        Response::text("unreachable")
    }
}

sealift_guest::persistent!(Crasher, panic = log);
