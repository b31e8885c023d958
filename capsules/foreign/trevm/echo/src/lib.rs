//! treVM's UDP world: sends back what arrives.
#![no_std]

extern crate alloc;
use alloc::format;

use trevm_runtime as _;

wit_bindgen::generate!({
    inline: "
        package trevm:echo;
        world capsule {
            import ariel:wasm-bindings/log-api@0.0.1;
            import ariel:wasm-bindings/udp-api@0.0.1;
            import ariel:wasm-bindings/time-api@0.0.1;
            export bind-socket: func(port: u16);
            export echo: func(datagrams: u32);
        }
    ",
    path: "../../../wit/deps/ariel-wasm-bindings",
    generate_all,
});

use ariel::wasm_bindings::log_api::info;
use ariel::wasm_bindings::time_api::sleep;
use ariel::wasm_bindings::udp_api::{IpAddr, UdpSocket};

struct Component;

impl Guest for Component {
    fn bind_socket(port: u16) {
        match UdpSocket::bind(port) {
            Ok(()) => info(&format!("bound to {port}")),
            Err(()) => info("no network"),
        }
    }

    fn echo(datagrams: u32) {
        let mut left = datagrams;
        while left > 0 {
            match UdpSocket::try_recv() {
                Ok(Some((data, from))) => {
                    let family = match from.endpoint.addr {
                        IpAddr::V4(_) => 4,
                        IpAddr::V6(_) => 6,
                    };
                    info(&format!("{} bytes by IPv{family}", data.len()));
                    if UdpSocket::send(&data, from).is_err() {
                        return info("not sent");
                    }
                    left -= 1;
                }
                Ok(None) => sleep(5),
                Err(()) => return info("no socket"),
            }
        }
    }
}

export!(Component);
