//! The network: a virtio network device, whose interrupt wakes the network
//! task.

use core::cell::RefCell;
use core::task::{Context, Waker};

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use virtio_drivers::device::net::{RxBuffer, VirtIONet};
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::mmio::MmioTransport;

use crate::plic;
use crate::virtio::{self, BoardHal};

/// Frames that are kept until they are looked at.
const QUEUE: usize = 4;
/// The longest Ethernet frame, without its checksum.
const FRAME: usize = 1514;
/// Room for a frame behind virtio's header, in whole words.
const BUFFER: usize = 1528;

static WAITING: AtomicWaker = AtomicWaker::new();

type Net = VirtIONet<BoardHal, MmioTransport<'static>, QUEUE>;

/// The controller.
pub(crate) struct Ethernet {
    // Both tokens of a received frame use it, one after the other.
    net: RefCell<Net>,
    /// Its number at the interrupt controller.
    source: plic::Source,
    address: [u8; 6],
}

impl Ethernet {
    /// Switches the controller on; `None` if there is none.
    pub(crate) fn start() -> Option<Self> {
        let (slot, transport) = virtio::take(DeviceType::Network)?;
        let net = Net::new(transport, BUFFER).ok()?;
        Some(Self {
            address: net.mac_address(),
            net: RefCell::new(net),
            source: plic::Source::of_slot(slot),
        })
    }

    fn fetch(&self) -> Option<RxBuffer> {
        self.net.borrow_mut().receive().ok()
    }

    /// Wakes `waker` with the next frame.
    fn wait(&self, waker: &Waker) {
        WAITING.register(waker);
        self.net.borrow_mut().ack_interrupt();
        self.source.listen();
    }
}

/// For the controller's interrupt, which stays off until somebody waits again.
pub(crate) fn interrupt() {
    plic::silence();
    WAITING.wake();
}

/// A frame that was received.
pub(crate) struct Received<'a> {
    net: &'a RefCell<Net>,
    frame: Option<RxBuffer>,
}

/// The right to send a frame.
pub(crate) struct Sending<'a>(&'a RefCell<Net>);

impl Driver for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, Sending<'_>)> {
        let frame = self.fetch().or_else(|| {
            self.wait(context.waker());
            // One that came before its interrupt was seen to.
            self.fetch()
        });
        let received = Received {
            net: &self.net,
            frame: Some(frame?),
        };
        Some((received, Sending(&self.net)))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Sending<'_>> {
        // Sending waits until a frame has left: there is always room.
        Some(Sending(&self.net))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, read: F) -> R {
        match &mut self.frame {
            Some(frame) => read(frame.packet_mut()),
            None => read(&mut []),
        }
    }
}

/// The device gets the buffer back, whether anybody looked at the frame or not.
impl Drop for Received<'_> {
    fn drop(&mut self) {
        if let Some(frame) = self.frame.take()
            && let Err(error) = self.net.borrow_mut().recycle_rx_buffer(frame)
        {
            log::error!("a buffer of the network is lost: {error}");
        }
    }
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut net = self.0.borrow_mut();
        let mut frame = net.new_tx_buffer(length.min(FRAME));
        let result = write(frame.packet_mut());
        if let Err(error) = net.send(frame) {
            log::warn!("cannot send a frame: {error}");
        }
        result
    }
}
