//! Hands the light, the button and the UDP socket of a board to whoever asks.
#![cfg(target_arch = "wasm32")]
#![cfg_attr(target_arch = "wasm32", no_std)]

use core::net::SocketAddr;

use sealift_guest::{
    Capsule, ContentFormat, Line, Method, Request, Response, Unavailable, gpio, udp,
};

/// Datagrams of a flood: more than any quota.
const FLOOD: u32 = 200;

struct Pins;

impl Capsule for Pins {
    fn start() -> Option<Self> {
        Some(Self)
    }

    fn resources(&self) -> &'static [&'static str] {
        &["light", "button", "port", "datagram", "flood"]
    }

    fn handle(&mut self, request: &Request<'_>) -> Response {
        match (request.path(), request.method()) {
            ("light", Method::Post) => done(gpio::toggle_led()),
            ("button", Method::Get) => match gpio::wait_for_button() {
                Ok(()) => Response::text("pressed"),
                Err(Unavailable) => Response::unavailable(),
            },
            ("port", Method::Put) => match number(request) {
                Some(port) => done(udp::bind(port)),
                None => Response::bad_request(),
            },
            ("datagram", Method::Post) => match address(request) {
                Some(to) => done(udp::send(b"hello", to)),
                None => Response::bad_request(),
            },
            ("datagram", Method::Get) => match udp::receive() {
                Ok(Some(datagram)) => answer(&datagram),
                Ok(None) => Response::not_found(),
                Err(Unavailable) => Response::unavailable(),
            },
            ("flood", Method::Post) => match address(request) {
                Some(to) => {
                    let sent = (0..FLOOD).filter(|_| udp::send(b"flood", to).is_ok());
                    let sent = sent.count() as u32;
                    Response::text(Line::<16>::new().number(sent).as_str())
                }
                None => Response::bad_request(),
            },
            _ => Response::not_found(),
        }
    }
}

fn done(result: Result<(), Unavailable>) -> Response {
    match result {
        Ok(()) => Response::changed(),
        Err(Unavailable) => Response::unavailable(),
    }
}

/// The datagram, which is sent back to where it came from, too.
fn answer(datagram: &udp::Datagram) -> Response {
    let _ = udp::send(&datagram.data, datagram.from);
    Response::content(ContentFormat::BYTES, &datagram.data)
}

fn number(request: &Request<'_>) -> Option<u16> {
    request.text()?.parse().ok()
}

fn address(request: &Request<'_>) -> Option<SocketAddr> {
    request.text()?.parse().ok()
}

sealift_guest::persistent!(Pins);
