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

    fn resources(&self) -> &'static [&'static str] {
        &["on"]
    }

    fn handle(&mut self, request: &Request<'_>) -> Response {
        match (request.path(), request.method()) {
            ("on", Method::Get) => Response::text(if self.on { "yes" } else { "no" }),
            ("on", Method::Put) => match request.payload() {
                b"yes" => self.switch(true),
                b"no" => self.switch(false),
                _ => Response::bad_request(),
            },
            ("on", _) => Response::method_not_allowed(),
            _ => Response::not_found(),
        }
    }
}

impl Switch {
    fn switch(&mut self, on: bool) -> Response {
        self.on = on;
        Response::changed()
    }
}

sealift_guest::persistent!(Switch);

#[cfg(test)]
mod tests {
    use super::*;

    use sealift_guest::Code;
    use sealift_guest::testing::Device;

    #[test]
    fn it_remembers_what_it_is_told() {
        let mut switch = Device::new().start::<Switch>().unwrap();
        assert_eq!(switch.get("on").text(), "no");
        assert_eq!(switch.put("on", "yes").code(), Code::CHANGED);
        assert_eq!(switch.get("on").text(), "yes");
    }

    #[test]
    fn it_refuses_what_it_does_not_know() {
        let mut switch = Device::new().start::<Switch>().unwrap();
        assert_eq!(switch.put("on", "maybe").code(), Code::BAD_REQUEST);
        assert_eq!(switch.delete("on").code(), Code::METHOD_NOT_ALLOWED);
        assert_eq!(switch.get("off").code(), Code::NOT_FOUND);
        assert_eq!(switch.get("on").text(), "no");
    }
}
