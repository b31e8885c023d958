//! The device's key on flash that loses power, rots, wears out or cannot be
//! read: a device never becomes somebody else unnoticed.

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use rand_core::OsRng;
use sealift_credential::Credential;
use sealift_provision::identity::{IdentityError, Loaded, PAGES, load};
use sealift_storage::sim::{MockError, MockFlash, Torn};

/// Small pages, so that each step can be tried.
const PAGE: usize = 512;
const RECORD: usize = 256;
/// Not at 0, and the page before is somebody else's.
const BASE: u32 = 512;

type Flash<const WORD: usize = 4> = MockFlash<WORD, PAGE>;

fn flash<const WORD: usize>() -> Flash<WORD> {
    Flash::new(1 + PAGES as usize)
}

fn get<F: NorFlash>(flash: &mut F) -> Result<Loaded, IdentityError<F::Error>> {
    load(flash, BASE, "device", &mut OsRng)
}

fn name(loaded: &Loaded) -> Credential {
    loaded.identity.credential().clone()
}

/// Where a copy starts.
fn copy(number: usize) -> usize {
    BASE as usize + number * PAGE
}

/// Flips one bit of a copy.
fn rot<const WORD: usize>(flash: &mut Flash<WORD>, number: usize, bit: usize) {
    flash.rot(copy(number) * 8 + bit % (RECORD * 8));
}

/// Loads, and the power goes off at this step.
fn cut<const WORD: usize>(flash: &mut Flash<WORD>, step: usize, torn: Torn) {
    flash.cut_at(step as u64, torn, step as u64);
    let _ = get(flash);
    flash.cancel_cut();
    flash.power_on();
}

/// The steps of a load, each with one kind of what a cut leaves, and some with
/// all of them: the last ones of an erase or record, and those of the mark.
fn cuts<const WORD: usize>(flash: &Flash<WORD>) -> impl Iterator<Item = (usize, Torn)> {
    let mut whole = flash.clone();
    get(&mut whole).unwrap();
    let steps = usize::try_from(whole.steps() - flash.steps()).unwrap();
    let of_step = |step: usize| {
        let kinds = Torn::ALL.into_iter().enumerate();
        kinds.filter(move |(kind, _)| *kind == step % 5 || step % 256 < 6 || step % 256 > 250)
    };
    (0..steps).flat_map(move |step| of_step(step).map(move |(_, torn)| (step, torn)))
}

fn first_start_cut<const WORD: usize>() {
    let (mut new, mut kept) = (0, 0);
    for (step, torn) in cuts(&flash::<WORD>()) {
        let mut flash = flash::<WORD>();
        cut(&mut flash, step, torn);
        // Nobody has seen the one before, if there was one.
        let made = get(&mut flash).unwrap();
        let counted = if made.new { &mut new } else { &mut kept };
        *counted += 1;
        for number in [step % 2, (step + 1) % 2] {
            rot(&mut flash, number, step);
            for _ in 0..2 {
                flash.power_on();
                match get(&mut flash) {
                    Ok(again) => {
                        assert!(!again.new, "{torn:?} at {step}, copy {number}");
                        assert_eq!(name(&again), name(&made), "{torn:?} at {step}");
                    }
                    // A copy that read as good once, and does not any more.
                    Err(IdentityError::Damaged) if torn == Torn::Unstable => {}
                    Err(error) => panic!("{error}, {torn:?} at {step}"),
                }
            }
        }
    }
    assert!(new > 100 && kept > 100, "{new} new ones, {kept} kept");
}

#[test]
fn a_first_start_that_was_cut_anywhere_makes_one_identity_that_stays() {
    first_start_cut::<4>();
    first_start_cut::<256>();
}

fn repair_cut<const WORD: usize>() {
    let mut flash = flash::<WORD>();
    let made = get(&mut flash).unwrap();
    let (mut same, mut damaged) = (0, 0);
    for number in 0..2 {
        let mut rotten = flash.clone();
        rot(&mut rotten, number, 77);
        for (step, torn) in cuts(&rotten) {
            let mut flash = rotten.clone();
            cut(&mut flash, step, torn);
            // At once, or after another start.
            let mut later = flash.clone();
            assert_eq!(name(&get(&mut later).unwrap()), name(&made));
            for (mut flash, started) in [(flash, false), (later, true)] {
                rot(&mut flash, 1 - number, step);
                flash.power_on();
                match get(&mut flash) {
                    Ok(loaded) => {
                        assert!(!loaded.new, "{torn:?} at {step}, copy {number}");
                        assert_eq!(name(&loaded), name(&made));
                        same += 1;
                    }
                    // The other copy was not written again yet, or read as good
                    // once and does not any more.
                    Err(IdentityError::Damaged) if !started || torn == Torn::Unstable => {
                        damaged += 1;
                    }
                    Err(error) => panic!("{error}, {torn:?} at {step}, copy {number}"),
                }
            }
        }
    }
    assert!(
        same > 100 && damaged > 100,
        "{same} kept, {damaged} refused"
    );
}

#[test]
fn a_repair_that_is_cut_anywhere_makes_no_new_identity() {
    repair_cut::<4>();
    repair_cut::<256>();
}

#[test]
fn where_nothing_is_lost_nothing_is_written() {
    let mut flash = flash::<4>();
    get(&mut flash).unwrap();
    // The mark, once.
    for steps in [4, 0, 0] {
        let before = flash.steps();
        get(&mut flash).unwrap();
        assert_eq!(flash.steps() - before, steps);
    }
}

#[test]
fn a_second_page_that_never_keeps_anything_is_no_reason_for_another_identity() {
    let mut flash = flash::<4>();
    flash.wear_out(2, false);
    assert!(matches!(get(&mut flash), Err(IdentityError::Flash(_))));
    // The first copy is there.
    flash.bytes_mut()[copy(1)..][..RECORD].fill(0xff);
    let made = get(&mut flash).unwrap();
    assert!(!made.new);
    flash.bytes_mut()[copy(1)..][..RECORD].fill(0xff);
    rot(&mut flash, 0, 5);
    // In the mark.
    flash.rot((copy(0) + RECORD) * 8 + 9);
    assert!(matches!(get(&mut flash), Err(IdentityError::Damaged)));
}

#[test]
fn flash_that_keeps_nothing_makes_no_identity() {
    for page in [1, 2] {
        let mut flash = flash::<4>();
        flash.wear_out(page, true);
        assert!(matches!(get(&mut flash), Err(IdentityError::Worn)));
    }
    let mut flash = flash::<4>();
    flash.wear_out(1, true);
    for _ in 0..2 {
        assert!(matches!(get(&mut flash), Err(IdentityError::Worn)));
    }
}

#[test]
fn pages_that_have_no_room_for_the_mark_are_refused() {
    let mut flash = MockFlash::<4, 256>::new(4);
    let loaded = load(&mut flash, 256, "device", &mut OsRng);
    assert!(matches!(loaded, Err(IdentityError::Address)));
}

/// A flash of which some pages cannot be read for a moment.
struct Unreadable {
    flash: Flash,
    copies: [bool; 2],
}

impl ErrorType for Unreadable {
    type Error = MockError;
}

impl ReadNorFlash for Unreadable {
    const READ_SIZE: usize = <Flash>::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), MockError> {
        let page = offset as usize / PAGE;
        match page.checked_sub(1).map(|number| self.copies[number]) {
            Some(true) => Err(MockError::Broken),
            _ => self.flash.read(offset, bytes),
        }
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl NorFlash for Unreadable {
    const WRITE_SIZE: usize = <Flash>::WRITE_SIZE;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), MockError> {
        self.flash.erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), MockError> {
        self.flash.write(offset, bytes)
    }
}

#[test]
fn a_copy_that_cannot_be_read_is_a_lost_one() {
    let mut flash = flash::<4>();
    let made = name(&get(&mut flash).unwrap());
    for copies in [[true, false], [false, true]] {
        let flash = flash.clone();
        let mut flash = Unreadable { flash, copies };
        let loaded = get(&mut flash).unwrap();
        assert_eq!((loaded.new, name(&loaded)), (false, made.clone()));
        // It can be the last one, and good.
        let other = usize::from(copies[0]);
        rot(&mut flash.flash, other, 100);
        let loaded = get(&mut flash);
        assert!(matches!(loaded, Err(IdentityError::Flash(_))));
        flash.copies = [false; 2];
        let loaded = get(&mut flash).unwrap();
        assert_eq!((loaded.new, name(&loaded)), (false, made.clone()));
    }
}

#[test]
fn what_cannot_be_read_is_not_blank() {
    let before = flash::<4>();
    for copies in [[true, false], [false, true], [true, true]] {
        let flash = before.clone();
        let mut flash = Unreadable { flash, copies };
        assert!(matches!(get(&mut flash), Err(IdentityError::Flash(_))));
        assert_eq!(flash.flash.bytes(), before.bytes(), "nothing is written");
    }
}
