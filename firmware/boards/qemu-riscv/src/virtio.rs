//! Where the virtio devices of the board are, and memory that they share with
//! the program.
#![expect(
    unsafe_code,
    reason = "hardware: devices at fixed addresses, which read and write memory by themselves"
)]

use core::cell::{Cell, UnsafeCell};
use core::ptr::NonNull;

use critical_section::Mutex;
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

const START: usize = 0x1000_1000;
const STRIDE: usize = 0x1000;
const SLOTS: u8 = 8;

/// Takes the first device of a kind that nobody has taken; with its slot.
pub(crate) fn take(kind: DeviceType) -> Option<(u8, MmioTransport<'static>)> {
    static TAKEN: Mutex<Cell<u8>> = Mutex::new(Cell::new(0));
    for slot in 0..SLOTS {
        let taken = critical_section::with(|cs| TAKEN.borrow(cs).get());
        let bit = 1 << slot;
        if taken & bit != 0 {
            continue;
        }
        let address = START.wrapping_add(usize::from(slot).wrapping_mul(STRIDE));
        let header = NonNull::new(core::ptr::with_exposed_provenance_mut(address))?;
        // SAFETY: this is the address of a virtio slot of the machine, which
        // is always there, and nobody else has taken it.
        let transport = unsafe { MmioTransport::new(header, STRIDE) };
        if let Ok(transport) = transport
            && transport.device_type() == kind
        {
            critical_section::with(|cs| TAKEN.borrow(cs).set(taken | bit));
            return Some((slot, transport));
        }
    }
    None
}

/// Pages for queues: two for each of the network's. The random source has one
/// queue, and gives its pages back before that.
const PAGES: usize = 4;

#[repr(C, align(4096))]
struct Pages {
    memory: UnsafeCell<[[u8; PAGE_SIZE]; PAGES]>,
    /// A bit for each that is in use.
    used: Mutex<Cell<u8>>,
}

// SAFETY: the memory is handed out by page, each to one owner at a time, which
// `used` sees to.
unsafe impl Sync for Pages {}

static POOL: Pages = Pages {
    memory: UnsafeCell::new([[0; PAGE_SIZE]; PAGES]),
    used: Mutex::new(Cell::new(0)),
};

/// How this board shares memory with virtio devices: addresses are the same for
/// both, and there is no cache between them.
#[derive(Debug)]
pub(crate) struct BoardHal;

/// The bits of `count` pages from `first` on.
fn bits(first: usize, count: usize) -> u8 {
    (first..first.saturating_add(count)).fold(0, |bits, page| bits | 1 << page)
}

// SAFETY: pages come from the pool, zeroed, each with one owner until it is
// given back; memory that is shared stays where it is.
unsafe impl Hal for BoardHal {
    fn dma_alloc(count: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = critical_section::with(|cs| {
            let used = POOL.used.borrow(cs);
            let last = PAGES.checked_sub(count)?;
            let first = (0..=last).find(|first| used.get() & bits(*first, count) == 0)?;
            used.set(used.get() | bits(first, count));
            Some(first)
        });
        let start = POOL.memory.get().cast::<[u8; PAGE_SIZE]>();
        let place = first.map(|first| start.wrapping_add(first));
        match place.and_then(NonNull::new) {
            Some(place) => {
                // SAFETY: `count` pages from here on are in the pool, and
                // nobody's but the caller's.
                unsafe { place.write_bytes(0, count) };
                (place.as_ptr().expose_provenance() as PhysAddr, place.cast())
            }
            // The address 0 says that there is none.
            None => (0, NonNull::dangling()),
        }
    }

    unsafe fn dma_dealloc(_: PhysAddr, place: NonNull<u8>, count: usize) -> i32 {
        let offset = place.addr().get().wrapping_sub(POOL.memory.get().addr());
        let freed = bits(offset / PAGE_SIZE, count);
        critical_section::with(|cs| {
            let used = POOL.used.borrow(cs);
            used.set(used.get() & !freed);
        });
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        // For PCI, which this board does not use.
        let address = usize::try_from(address).unwrap_or_default();
        NonNull::new(core::ptr::with_exposed_provenance_mut(address)).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr().expose_provenance() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}
