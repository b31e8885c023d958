//! The interface `udp-api`: its types, and its functions.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use wasmtime::Result;
use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, ResourceType};

use super::MAX_UDP;
use super::errand::Turn;
use super::imports::{Context, Done, Reply, ask, bytes};
use super::runtime::State;

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(record)]
struct V4 {
    a: u8,
    b: u8,
    c: u8,
    d: u8,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(record)]
struct V6 {
    a: u16,
    b: u16,
    c: u16,
    d: u16,
    e: u16,
    f: u16,
    g: u16,
    h: u16,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(variant)]
enum Address {
    #[component(name = "a")]
    V4(V4),
    #[component(name = "b")]
    V6(V6),
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(record)]
struct Endpoint {
    #[component(name = "a")]
    addr: Address,
    #[component(name = "b")]
    port: u16,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(record)]
struct Metadata {
    #[component(name = "a")]
    endpoint: Endpoint,
    #[component(name = "b")]
    local: Option<Address>,
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        match address {
            Address::V4(V4 { a, b, c, d }) => Ipv4Addr::new(a, b, c, d).into(),
            Address::V6(v6) => Ipv6Addr::new(v6.a, v6.b, v6.c, v6.d, v6.e, v6.f, v6.g, v6.h).into(),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                Self::V4(V4 { a, b, c, d })
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, h] = v6.segments();
                #[rustfmt::skip]
                let v6 = V6 { a, b, c, d, e, f, g, h };
                Self::V6(v6)
            }
        }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> Self {
        Self::new(endpoint.addr.into(), endpoint.port)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self {
            addr: address.ip().into(),
            port: address.port(),
        }
    }
}

pub(super) fn link(instance: &mut LinkerInstance<'_, State>) -> Result<()> {
    /// The host's side of the resource `udp-socket`, which has no instances:
    /// a capsule has one socket, and the board keeps it.
    struct Socket;

    instance.resource("udp-socket", ResourceType::host::<Socket>(), |_, _| Ok(()))?;
    instance.func_wrap_async("[static]udp-socket.bind", bind)?;
    instance.func_wrap_async("[static]udp-socket.send", send)?;
    instance.func_wrap_async("[static]udp-socket.try-recv", receive)
}

fn bind(mut cx: Context<'_>, (port,): (u16,)) -> Reply<'_, Done> {
    Box::new(async move {
        let bound = ask(&mut cx, 0, move |desk| Turn::Done(desk.udp_bind(port)));
        Ok((bound.await?.map_err(|_| ()),))
    })
}

fn send(mut cx: Context<'_>, (data, to): (Vec<u8>, Metadata)) -> Reply<'_, Done> {
    Box::new(async move {
        let to = to.endpoint.into();
        let sent = ask(&mut cx, bytes(data.len()), move |desk| {
            Turn::Done(desk.udp_send(&data, to))
        });
        Ok((sent.await?.map_err(|_| ()),))
    })
}

type Received = Result<Option<(Vec<u8>, Metadata)>, ()>;

fn receive(mut cx: Context<'_>, (): ()) -> Reply<'_, (Received,)> {
    Box::new(async move {
        // What a datagram of the full length costs, whatever comes.
        let received = ask(&mut cx, bytes(MAX_UDP), |desk| {
            Turn::Done(desk.udp_receive())
        });
        let received = received.await?.map_err(|_| ()).map(|received| {
            received.map(|(data, from, local)| {
                let endpoint = from.into();
                let local = local.map(Into::into);
                (data, Metadata { endpoint, local })
            })
        });
        Ok((received,))
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn addresses_stay_what_they_are() {
        for text in ["192.0.2.7:5683", "[2001:db8:1:2:3:4:5:6]:1"] {
            let address: SocketAddr = text.parse().unwrap();
            let there = Endpoint::from(address);
            assert_eq!(SocketAddr::from(there).to_string(), text);
        }
    }
}
