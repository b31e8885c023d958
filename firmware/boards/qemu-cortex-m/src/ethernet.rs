//! The driver of the board's LAN9118 (SMSC, "LAN9118 datasheet", revision
//! 1.5): frames by its FIFOs, and an interrupt that wakes the network task.

use core::task::{Context, Waker};

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;

use crate::registers::Peripheral::Ethernet;

const RX_DATA: u32 = 0x00;
const TX_DATA: u32 = 0x20;
const RX_STATUS: u32 = 0x40;
const TX_STATUS: u32 = 0x48;
const IRQ_CFG: u32 = 0x54;
const INT_STS: u32 = 0x58;
const INT_EN: u32 = 0x5c;
const FIFO_INT: u32 = 0x68;
const TX_CFG: u32 = 0x70;
const HW_CFG: u32 = 0x74;
const RX_FIFO_INF: u32 = 0x7c;
const TX_FIFO_INF: u32 = 0x80;
const MAC_CSR_CMD: u32 = 0xa4;
const MAC_CSR_DATA: u32 = 0xa8;

/// The status FIFO of received frames is above its level, which is zero.
const RX_LEVEL: u32 = 1 << 3;
/// Interrupts on, by a pin that is driven high.
const IRQ_ON: u32 = (1 << 8) | (1 << 4) | 1;
const SOFT_RESET: u32 = 1;
/// 5 kB for frames to send; the bit besides must be set.
const TX_FIFO_5K: u32 = (5 << 16) | (1 << 20);
const TX_ON: u32 = 1 << 1;
const MAC_CR: u32 = 1;
const MAC_ADDRH: u32 = 2;
const MAC_ADDRL: u32 = 3;
const MAC_RX_TX: u32 = (1 << 3) | (1 << 2);
const CSR_BUSY: u32 = 1 << 31;
const RX_ERROR: u32 = 1 << 15;
const FIRST_AND_LAST: u32 = (1 << 13) | (1 << 12);

/// The longest Ethernet frame, without its checksum.
const FRAME: usize = 1514;
const CHECKSUM: usize = 4;
/// A command for a frame is two words, and its length is rounded up.
const OVERHEAD: u32 = 12;

/// A locally administered address.
const ADDRESS: [u8; 6] = [0x02, 0, 0, 0x5e, 0xa1, 0x1f];

static WAITING: AtomicWaker = AtomicWaker::new();

/// The controller.
pub(crate) struct Lan9118 {
    frame: [u8; FRAME],
}

impl Lan9118 {
    /// Resets the controller and switches it on.
    pub(crate) fn start() -> Self {
        Ethernet.write(HW_CFG, SOFT_RESET);
        while Ethernet.read(HW_CFG) & SOFT_RESET != 0 {}
        Ethernet.write(HW_CFG, TX_FIFO_5K);
        let [a, b, c, d, e, f] = ADDRESS;
        mac(MAC_ADDRL, u32::from_le_bytes([a, b, c, d]));
        mac(MAC_ADDRH, u32::from_le_bytes([e, f, 0, 0]));
        Ethernet.write(TX_CFG, TX_ON);
        mac(MAC_CR, MAC_RX_TX);
        Ethernet.write(FIFO_INT, 0);
        Ethernet.write(INT_STS, u32::MAX);
        Ethernet.write(IRQ_CFG, IRQ_ON);
        Self { frame: [0; FRAME] }
    }

    /// Takes the next good frame out of the FIFO; its length.
    fn fetch(&mut self) -> Option<usize> {
        while Ethernet.read(RX_FIFO_INF) >> 16 & 0xff != 0 {
            let status = Ethernet.read(RX_STATUS);
            let whole = (status >> 16 & 0x3fff) as usize;
            let mut words = self.frame.chunks_mut(4);
            for _ in 0..whole.div_ceil(4) {
                let word = Ethernet.read(RX_DATA).to_le_bytes();
                if let Some(place) = words.next() {
                    for (to, from) in place.iter_mut().zip(word) {
                        *to = from;
                    }
                }
            }
            let length = whole.saturating_sub(CHECKSUM);
            if status & RX_ERROR == 0 && length <= FRAME {
                return Some(length);
            }
        }
        None
    }

    /// Wakes `waker` with the next frame.
    fn wait(waker: &Waker) {
        WAITING.register(waker);
        Ethernet.write(INT_STS, u32::MAX);
        Ethernet.write(INT_EN, RX_LEVEL);
    }
}

/// For the controller's interrupt, which stays off until somebody waits again.
pub(crate) fn interrupt() {
    Ethernet.write(INT_EN, 0);
    WAITING.wake();
}

fn mac(register: u32, value: u32) {
    Ethernet.write(MAC_CSR_DATA, value);
    Ethernet.write(MAC_CSR_CMD, CSR_BUSY | register);
    while Ethernet.read(MAC_CSR_CMD) & CSR_BUSY != 0 {}
}

/// A frame that was received.
pub(crate) struct Received<'a>(&'a mut [u8]);
/// The right to send a frame.
pub(crate) struct Sending;

impl Driver for Lan9118 {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, Sending)> {
        let length = self.fetch().or_else(|| {
            Self::wait(context.waker());
            // One that came before that wakes nobody.
            self.fetch()
        })?;
        self.frame.get_mut(..length).map(|f| (Received(f), Sending))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Sending> {
        // Frames leave as fast as they are written: there is nothing to wait
        // for but the log of what was sent.
        while Ethernet.read(TX_FIFO_INF) >> 16 & 0xff != 0 {
            Ethernet.read(TX_STATUS);
        }
        Some(Sending)
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
        HardwareAddress::Ethernet(ADDRESS)
    }
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl TxToken for Sending {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = [0; FRAME];
        let length = length.min(FRAME);
        let frame = frame.get_mut(..length).unwrap_or_default();
        let result = write(frame);
        let bytes = u32::try_from(length).unwrap_or(0);
        while Ethernet.read(TX_FIFO_INF) & 0xffff < bytes + OVERHEAD {}
        Ethernet.write(TX_DATA, FIRST_AND_LAST | bytes);
        Ethernet.write(TX_DATA, bytes);
        for part in frame.chunks(4) {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().zip(part) {
                *to = *from;
            }
            Ethernet.write(TX_DATA, u32::from_le_bytes(word));
        }
        result
    }
}
