//! The loop between network and device.

use core::net::{IpAddr, SocketAddr};

use embassy_futures::yield_now;
use embassy_net::udp::{PacketMetadata, UdpMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use embassy_time::Instant;
use embedded_storage::nor_flash::NorFlash;
use rand_core::CryptoRngCore;
use sealift_core::capsule::Host;
use sealift_core::{Device, Step};
use sealift_oscore::MAX_DATAGRAM;
use static_cell::ConstStaticCell;

use crate::network::Address;
use crate::port::Port;
#[cfg(feature = "bare")]
use crate::{heap, stack};

/// CoAP's own port (RFC 7252, 6.1).
pub const PORT: u16 = 5683;

/// How many datagrams wait at the most, each way.
const QUEUE: usize = 4;

/// The longest that the device is left alone for, in milliseconds: whoever feeds
/// a watchdog needs a turn.
const REST_MS: u64 = 1000;

/// Buffers of the device's socket, and of what is to be sent.
struct Buffers {
    received: [u8; 2 * MAX_DATAGRAM],
    sent: [u8; MAX_DATAGRAM],
    outgoing: [u8; MAX_DATAGRAM],
}

impl Buffers {
    const fn new() -> Self {
        Self {
            received: [0; 2 * MAX_DATAGRAM],
            sent: [0; MAX_DATAGRAM],
            outgoing: [0; MAX_DATAGRAM],
        }
    }
}

static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());

/// Serves a device on UDP port [`PORT`], for ever. `alive` is called once in a second
/// or so as long as nothing hangs: between two calls is no more than a wait of a
/// second, and the work for one datagram, a key exchange at the most. Once for each
/// program: a second call panics.
pub async fn serve<F, R, H, const N: usize, const W: usize, const SESSIONS: usize>(
    device: &mut Device<F, R, H, N, W, SESSIONS>,
    stack: Stack<'_>,
    mut alive: impl FnMut(),
) where
    F: NorFlash,
    R: CryptoRngCore,
    H: Host,
{
    let Buffers {
        received,
        sent,
        outgoing,
    } = BUFFERS.take();
    let mut received_meta = [PacketMetadata::EMPTY; QUEUE];
    let mut sent_meta = [PacketMetadata::EMPTY; QUEUE];
    let socket = UdpSocket::new(stack, &mut received_meta, received, &mut sent_meta, sent);
    let Ok(mut port) = Port::bind(socket, PORT) else {
        log::error!("cannot listen on port {PORT}");
        return;
    };
    log::info!("listening on port {PORT}");
    #[cfg(feature = "bare")]
    let mut memory = Memory::default();
    let mut address = Address::default();
    loop {
        alive();
        let next = match device.poll(now(), outgoing) {
            Step::Send(SocketAddr::V4(to), length) => Some((length, IpEndpoint::from(to).into())),
            // Only IPv4 peers were heard.
            Step::Send(SocketAddr::V6(_), _) => None,
            Step::Wait(until) => {
                #[cfg(feature = "bare")]
                memory.report();
                address.report(stack);
                // The network has its turn even where capsules keep the device busy.
                yield_now().await;
                let until = Instant::from_millis(until.min(now().saturating_add(REST_MS)));
                let taken = port.receive(until, |datagram, from| {
                    let length = device.handle_datagram(now(), peer(from), datagram, outgoing);
                    (length, from)
                });
                taken.await
            }
        };
        if let Some((length, to)) = next {
            port.send(outgoing.get(..length).unwrap_or_default(), to)
                .await;
        }
    }
}

fn now() -> u64 {
    Instant::now().as_millis()
}

fn peer(from: UdpMetadata) -> SocketAddr {
    SocketAddr::new(IpAddr::from(from.endpoint.addr), from.endpoint.port)
}

/// What the log last said of memory.
#[cfg(feature = "bare")]
#[derive(Default)]
struct Memory {
    heap: usize,
    stack: usize,
}

#[cfg(feature = "bare")]
impl Memory {
    /// Says so where more was needed than ever before.
    fn report(&mut self) {
        let (heap, stack) = (heap::peak(), stack::peak());
        if heap > self.heap || stack > self.stack {
            log::info!(
                "memory: heap {} bytes, at most {heap}; stack at most {stack}",
                heap::used()
            );
            (self.heap, self.stack) = (heap, stack);
        }
    }
}
