//! What is where on the flash, and who may be named.

use super::*;

#[test]
fn a_flash_of_garbage_is_an_empty_store() {
    let device = device();
    let empty = ComponentStatus {
        active: None,
        previous: None,
        highest: 0,
        floor: 0,
        transfer: None,
    };
    assert_eq!(device.status(0), Some(empty));
    assert_eq!(device.status(1), Some(empty));
    assert_eq!(device.status(2), None);
    assert_eq!(
        device.flash().steps(),
        0,
        "a mount of nothing writes nothing"
    );
}

#[test]
fn layouts_that_do_not_suit_the_flash_are_refused() {
    fn check<const N: usize>(layout: Layout<N>) -> core::result::Result<(), LayoutError> {
        layout.check::<MockFlash<8, 2048>>(20 * 2048)
    }
    let good = Layout::new(2048, 2, ["a", "b"]);
    assert_eq!(check(good), Ok(()));
    assert_eq!(good.size(2048), Some(2 * 6 * 2048));
    assert_eq!(Layout::new(0, u16::MAX, ["a"]).size(u32::MAX), None);
    let unaligned = Layout::new(2040, 2, ["a"]);
    assert_eq!(check(unaligned), Err(LayoutError::BaseUnaligned));
    let at_the_end = Layout::new(8 * 2048, 2, ["a", "b"]);
    assert_eq!(check(at_the_end), Ok(()));
    let beyond = Layout::new(9 * 2048, 2, ["a", "b"]);
    assert_eq!(check(beyond), Err(LayoutError::TooLarge));
    let far_beyond = Layout::new(u32::MAX - 2047, 2, ["a"]);
    assert_eq!(check(far_beyond), Err(LayoutError::TooLarge));
    assert_eq!(
        check(Layout::new(0, 0, ["a"])),
        Err(LayoutError::SlotTooSmall)
    );
    let twice = Layout::new(0, 1, ["a", "b", "a"]);
    assert_eq!(check(twice), Err(LayoutError::DuplicateName));

    let small = Layout::new(0, 2, ["a"]);
    assert_eq!(
        small.check::<MockFlash<8, 512>>(1 << 20),
        Err(LayoutError::SlotTooSmall)
    );
    assert_eq!(
        small.check::<MockFlash<8, 128>>(1 << 20),
        Err(LayoutError::PageSize),
        "too small for a record"
    );
    assert_eq!(
        small.check::<MockFlash<8, 1536>>(1 << 20),
        Err(LayoutError::PageSize)
    );
    assert_eq!(
        small.check::<MockFlash<12, 2040>>(1 << 20),
        Err(LayoutError::WordSize)
    );
    let mounted = Store::<_, 1>::mount(Flash::new(1), small);
    assert_eq!(mounted.err(), Some(Error::Layout(LayoutError::TooLarge)));
}

/// A kind of flash that nobody reads or writes.
struct Kind<const READ: usize, const WORD: usize, const PAGE: usize>;

impl<const READ: usize, const WORD: usize, const PAGE: usize> ErrorType for Kind<READ, WORD, PAGE> {
    type Error = MockError;
}

impl<const READ: usize, const WORD: usize, const PAGE: usize> ReadNorFlash
    for Kind<READ, WORD, PAGE>
{
    const READ_SIZE: usize = READ;

    fn read(&mut self, _: u32, _: &mut [u8]) -> core::result::Result<(), MockError> {
        Err(MockError::Off)
    }

    fn capacity(&self) -> usize {
        0
    }
}

impl<const READ: usize, const WORD: usize, const PAGE: usize> NorFlash for Kind<READ, WORD, PAGE> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, _: u32, _: u32) -> core::result::Result<(), MockError> {
        Err(MockError::Off)
    }

    fn write(&mut self, _: u32, _: &[u8]) -> core::result::Result<(), MockError> {
        Err(MockError::Off)
    }
}

#[test]
fn each_kind_of_flash_suits_or_not() {
    fn check<const READ: usize, const WORD: usize, const PAGE: usize>()
    -> core::result::Result<(), LayoutError> {
        Layout::new(0, 10, ["a"]).check::<Kind<READ, WORD, PAGE>>(1 << 20)
    }
    // The word divides 1024 and the page.
    assert_eq!(check::<1, 1, 4096>(), Ok(()));
    assert_eq!(check::<1, 256, 4096>(), Ok(()));
    assert_eq!(check::<1, 12, 4096>(), Err(LayoutError::WordSize));
    assert_eq!(check::<1, 3, 4096>(), Err(LayoutError::WordSize));
    assert_eq!(check::<1, 512, 256>(), Err(LayoutError::WordSize));
    // Nothing is 0.
    assert_eq!(check::<1, 0, 4096>(), Err(LayoutError::WordSize));
    assert_eq!(check::<0, 1, 4096>(), Err(LayoutError::WordSize));
    assert_eq!(check::<1, 1, 0>(), Err(LayoutError::WordSize));
    // The read size divides the word or is a multiple of it, up to 256.
    assert_eq!(check::<8, 8, 4096>(), Ok(()));
    assert_eq!(check::<4, 8, 4096>(), Ok(()));
    assert_eq!(check::<16, 8, 4096>(), Ok(()));
    assert_eq!(check::<256, 8, 4096>(), Ok(()));
    assert_eq!(check::<512, 8, 4096>(), Err(LayoutError::ReadSize));
    assert_eq!(check::<3, 8, 4096>(), Err(LayoutError::ReadSize));
    assert_eq!(check::<24, 8, 4096>(), Err(LayoutError::ReadSize));
    // The page divides 1024 or is a multiple of it, and holds a record.
    assert_eq!(check::<1, 1, 256>(), Ok(()));
    assert_eq!(check::<1, 1, 3072>(), Ok(()));
    assert_eq!(check::<1, 1, 128>(), Err(LayoutError::PageSize));
    assert_eq!(check::<1, 1, 1536>(), Err(LayoutError::PageSize));
    assert_eq!(check::<1, 1, 192>(), Err(LayoutError::PageSize));
    assert_eq!(check::<1, 256, 1024>(), Ok(()), "exactly one record");
    assert_eq!(check::<1, 256, 512>(), Err(LayoutError::PageSize));
}

#[test]
fn an_unknown_component_is_refused_everywhere() {
    let mut device = device();
    let capsule = vm1(1);
    let manifest = &capsule.manifest;
    let unknown = Error::UnknownComponent;
    assert_eq!(device.open_transfer(2, manifest, &[1]), Err(unknown));
    assert_eq!(device.write(2, 0, &[]), Err(unknown));
    assert_eq!(device.abort_transfer(2), Err(unknown));
    assert_eq!(device.read_head(2, SlotId::A, &mut []), Err(unknown));
    assert_eq!(device.read_payload(2, SlotId::A, 0, &mut []), Err(unknown));
    assert_eq!(device.check_payload(2, SlotId::A, manifest), Err(unknown));
    assert_eq!(device.activate(2, manifest, 1), Err(unknown));
    assert_eq!(device.begin_attempt(2), Err(unknown));
    assert_eq!(device.confirm(2, manifest), Err(unknown));
    assert_eq!(device.rollback(2), Err(unknown));
    assert_eq!(device.revert(2), Err(unknown));
    assert_eq!(device.remove(2), Err(unknown));
    assert!(matches!(
        device.lend(2, SlotId::A),
        Err(Error::UnknownComponent)
    ));
    assert_eq!(device.payload_range(2, SlotId::A), None);
}

#[test]
fn a_capsule_of_another_component_is_refused() {
    let mut device = device();
    let other = capsule("vm2", 1, 0, 100);
    assert_eq!(open(&mut device, &other), Err(Error::WrongComponent));
    assert_eq!(status(&device).transfer, None);
}

#[test]
fn nothing_outside_of_the_layout_is_touched() {
    let mut device = device();
    let before = device.flash().bytes().to_vec();
    let page = PAGE as usize;
    for sequence in 1..20 {
        install(&mut device, &vm1(sequence)).expect("installed");
        device = restart(device);
    }
    let after = device.flash().bytes();
    assert_eq!(before[..page], after[..page]);
    let vm2 = page * (1 + 2 + 2 * SLOT_PAGES as usize);
    assert_eq!(before[vm2..], after[vm2..], "vm2 and what follows");
}

#[test]
fn records_of_another_layout_do_not_count() {
    let mut device = device();
    install(&mut device, &vm1(1)).expect("installed");
    let flash = device.into_flash();
    for other in [
        Layout::new(PAGE, SLOT_PAGES, ["vm2", "vm1"]),
        Layout::new(PAGE, SLOT_PAGES - 1, ["vm1", "vm2"]),
    ] {
        let store = Store::<_, 2>::mount(flash.clone(), other).expect("mounts");
        assert_eq!(store.status(0).and_then(|status| status.active), None);
    }
    let same = Store::<_, 2>::mount(flash, LAYOUT).expect("mounts");
    assert!(same.status(0).is_some_and(|status| status.active.is_some()));
}

#[test]
fn ram_for_each_component_is_small() {
    let one = size_of::<Store<(), 1>>();
    let two = size_of::<Store<(), 2>>();
    println!("RAM: {} bytes, {} for each component", one, two - one);
    assert!(two - one <= 256);
}
