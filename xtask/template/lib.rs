//! A capsule that remembers whether something is on.
#![no_std]

use sealift_guest::{Capsule, Method, Request, Response};

struct Switch {
    on: bool,
}

impl Capsule for Switch {
    fn start() -> Option<Self> {
        Some(Self { on: false })
    }

    fn resources(&self) -> &[&str] {
        &["on"]
    }

    fn handle(&mut self, request: &Request<'_>) -> Response {
        if !request.path_is(&["on"]) {
            return Response::not_found();
        }
        match request.method() {
            Method::Get => Response::text(if self.on { "yes" } else { "no" }),
            Method::Put => {
                self.on = request.payload() == b"yes";
                Response::changed()
            }
            _ => Response::method_not_allowed(),
        }
    }
}

sealift_guest::persistent!(Switch);
