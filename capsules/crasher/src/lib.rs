//! Starts well, answers on every path, and panics on `/crash`.
#![no_std]

use sealift_guest::{Capsule, Request, Response};

struct Crasher;

impl Capsule for Crasher {
    fn start() -> Option<Self> {
        Some(Self)
    }

    fn resources(&self) -> &'static [&'static str] {
        &["crash", "fine"]
    }

    fn handle(&mut self, request: &Request<'_>) -> Response {
        if request.path() == "crash" {
            panic!("this capsule crashes when it is asked to");
        }
        Response::text("fine")
    }
}

sealift_guest::persistent!(Crasher, panic = log);
