//! The device of the boards, but for its network: datagrams come from the host. Tasks:
//!
//! | | |
//! |---|---|
//! | `w` | writes to the flash, at this address |
//! | `b` | starts the device at this time, in milliseconds, and lets it come to rest |
//! | `d` | hands it a datagram at this time, of the host with the number of the first byte, and lets it come to rest; the last datagram that it sent |
//! | `s` | verifies an Ed25519 signature: key, signature, message |
//! | `h` | SHA-256 |
//! | `e` | verifies the head of an envelope, behind the translator's key |

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};

use embedded_storage::nor_flash::NorFlash;
use rand_core::SeedableRng;
use sealift_core::Step;
use sealift_core::capsule::{Category, Reading, Unavailable};
use sealift_counting::{Flash, Host, Task, WORD, clock, counted, start};
use sealift_manifest::{PublicKey, verify};
use sealift_mcu::{BoardDevice, Plan, Random, Services};
use sealift_oscore::MAX_DATAGRAM;
use sha2::{Digest, Sha256};
use static_cell::ConstStaticCell;

/// Pages of one slot: the boards'.
const SLOT_PAGES: u16 = 32;

/// Polls after which a device should have come to rest.
const MAX_POLLS: u32 = 1_000_000;
/// The longest content of a task, in bytes.
const LONGEST: usize = 8192;

type Counted = BoardDevice<Flash, Room, WORD>;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    static TASK: ConstStaticCell<[u8; LONGEST]> = ConstStaticCell::new([0; LONGEST]);
    static SENT: ConstStaticCell<Sent> = ConstStaticCell::new(Sent::NOTHING);
    start();
    let host = Host::connect();
    let buffer = TASK.take();
    let sent = SENT.take();
    let mut flash = Flash::default();
    let erased = flash.erase(0, flash_end(&flash));
    assert!(erased.is_ok());
    let mut device = None;
    loop {
        let Task {
            kind,
            number,
            content,
        } = host.next(buffer);
        let mut digest = [0; 32];
        let (answer, instructions): (&[u8], u64) = match kind {
            b'w' => {
                let written = flash.write(u32::try_from(number).unwrap_or(u32::MAX), content);
                assert!(written.is_ok());
                (&[], 0)
            }
            b'b' => {
                clock::set(number);
                drop(device.take());
                sent.length = 0;
                let (started, instructions) = counted(|| {
                    let mut started = boot(&flash);
                    rest(&mut started, number, sent);
                    started
                });
                device = Some(started);
                (sent.last(), instructions)
            }
            b'd' => {
                clock::set(number);
                let (Some(device), Some((from, datagram))) =
                    (device.as_mut(), content.split_first())
                else {
                    panic!()
                };
                let from = SocketAddr::from((Ipv4Addr::new(192, 0, 2, *from), 5000));
                let ((), instructions) = counted(|| take(device, number, from, datagram, sent));
                (sent.last(), instructions)
            }
            b's' => {
                let (good, instructions) = counted(|| signature(content));
                assert!(good);
                (&[], instructions)
            }
            b'h' => {
                let ((), instructions) = counted(|| digest = Sha256::digest(content).into());
                (&digest, instructions)
            }
            b'e' => {
                let (good, instructions) = counted(|| envelope(content));
                assert!(good);
                (&[], instructions)
            }
            _ => panic!(),
        };
        host.answer(instructions, answer);
    }
}

fn flash_end(flash: &impl NorFlash) -> u32 {
    u32::try_from(flash.capacity()).unwrap_or_default()
}

/// As the boards do it; what is random is the same each time.
#[inline(never)]
fn boot(flash: &Flash) -> Counted {
    let plan = Plan {
        mapping: Some(flash.mapping()),
        ..Plan::new("sealift-qemu", SLOT_PAGES)
    };
    let mut rng = Random::from_seed([1; 32]);
    match sealift_mcu::boot(plan, flash.clone(), Room, &mut rng) {
        Ok(device) => device,
        Err(_) => panic!(),
    }
}

/// The last datagram that the device sent. There are two buffers, so that what a poll
/// leaves in one spoils nothing in the other, and nothing is copied.
struct Sent {
    buffers: [[u8; MAX_DATAGRAM]; 2],
    /// Whether it is in the second.
    second: bool,
    length: usize,
}

impl Sent {
    const NOTHING: Self = Self {
        buffers: [[0; MAX_DATAGRAM]; 2],
        second: false,
        length: 0,
    };

    /// The datagram, empty if there was none.
    fn last(&self) -> &[u8] {
        let [first, second] = &self.buffers;
        let buffer = if self.second { second } else { first };
        buffer.get(..self.length).unwrap_or_default()
    }

    /// Where the next one goes.
    fn next(&mut self) -> &mut [u8] {
        let [first, second] = &mut self.buffers;
        if self.second { first } else { second }
    }

    /// The next one is there, and has this length.
    fn came(&mut self, length: usize) {
        self.second = !self.second;
        self.length = length;
    }
}

/// Hands the device a datagram, and lets it come to rest.
fn take(device: &mut Counted, now: u64, from: SocketAddr, datagram: &[u8], sent: &mut Sent) {
    let length = device.handle_datagram(now, from, datagram, sent.next());
    sent.came(length);
    rest(device, now, sent);
}

/// Polls until there is nothing to do.
fn rest(device: &mut Counted, now: u64, sent: &mut Sent) {
    for _ in 0..MAX_POLLS {
        match device.poll(now, sent.next()) {
            Step::Send(_, length) => sent.came(length),
            Step::Wait(until) if until > now => return,
            Step::Wait(_) => {}
        }
    }
    panic!()
}

fn signature(content: &[u8]) -> bool {
    let Some((key, rest)) = content.split_first_chunk() else {
        return false;
    };
    let Some((signature, message)) = rest.split_first_chunk() else {
        return false;
    };
    let key = ed25519_compact::PublicKey::new(*key);
    let signature = ed25519_compact::Signature::new(*signature);
    key.verify(message, &signature).is_ok()
}

fn envelope(content: &[u8]) -> bool {
    let Some((key, head)) = content.split_first_chunk() else {
        return false;
    };
    PublicKey::from_bytes(key).is_ok_and(|key| verify(head, &[key]).is_ok())
}

/// What this board has for capsules: a sensor, which is simulated.
struct Room;

impl Services for Room {
    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        sealift_simulation::read_sensors(embassy_time::Instant::now().as_millis(), category)
    }
}
