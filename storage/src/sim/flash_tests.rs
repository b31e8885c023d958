//! The mock flash is as strict as a flash.

use super::{MockError, MockFlash, NorFlash, ReadNorFlash, Torn, Vec};
type Flash = MockFlash<4, 64>;

fn byte(flash: &mut Flash, at: u32) -> Result<u8, MockError> {
    let mut word = [0; 4];
    flash.read(at, &mut word)?;
    Ok(word[0])
}

#[test]
fn a_word_takes_one_write_for_each_erase() {
    let mut flash = Flash::new(2);
    assert_eq!(flash.write(4, &[0xF0; 4]), Ok(()));
    let twice = MockError::WordTwice { offset: 4 };
    assert_eq!(flash.write(4, &[0x0F; 4]), Err(twice));
    assert_eq!(byte(&mut flash, 4), Ok(0xF0));
    assert_eq!(flash.erase(0, 64), Ok(()));
    assert_eq!(flash.write(4, &[0x0F; 4]), Ok(()));
    assert_eq!(flash.erases(), [1, 0]);
}

#[test]
fn accesses_are_checked() {
    let mut flash = Flash::new(2);
    assert_eq!(flash.write(2, &[0; 4]), Err(MockError::NotAligned));
    assert_eq!(flash.write(4, &[0; 3]), Err(MockError::NotAligned));
    assert_eq!(flash.write(128, &[0; 4]), Err(MockError::OutOfBounds));
    assert_eq!(flash.erase(0, 32), Err(MockError::NotAligned));
    assert_eq!(flash.erase(64, 0), Err(MockError::OutOfBounds));
    assert_eq!(flash.read(1, &mut [0; 4]), Err(MockError::NotAligned));
}

#[test]
fn a_torn_word_is_used_up_even_if_it_reads_erased() {
    let mut flash = Flash::new(1);
    flash.cut_at(2, Torn::Old, 0);
    assert_eq!(flash.write(0, &[0; 8]), Err(MockError::Off));
    assert_eq!(byte(&mut flash, 0), Err(MockError::Off));
    flash.power_on();
    assert_eq!(byte(&mut flash, 0), Ok(0xFF));
    let twice = MockError::WordTwice { offset: 0 };
    assert_eq!(flash.write(0, &[0; 4]), Err(twice));
    assert_eq!(flash.write(4, &[0; 4]), Ok(()));
}

#[test]
fn a_page_is_used_up_by_a_cut_erase_even_if_it_reads_erased() {
    let mut flash = Flash::new(1);
    flash.cut_at(63, Torn::New, 0);
    assert_eq!(flash.erase(0, 64), Err(MockError::Off));
    flash.power_on();
    assert_eq!(byte(&mut flash, 0), Ok(0xFF));
    assert!(matches!(
        flash.write(0, &[0; 4]),
        Err(MockError::WordTwice { .. })
    ));
}

#[test]
fn fresh_pages_can_be_demanded() {
    let mut flash = Flash::new(1);
    flash.demand_fresh_pages();
    flash.power_on();
    let stale = MockError::StalePage { offset: 0 };
    assert_eq!(flash.write(0, &[0; 4]), Err(stale));
    assert_eq!(flash.erase(0, 64), Ok(()));
    assert_eq!(flash.write(0, &[0; 4]), Ok(()));
}

#[test]
fn each_way_to_tear_leaves_what_it_says() {
    for torn in Torn::ALL {
        let mut flash = MockFlash::<8, 64>::new(1);
        flash.cut_at(3, torn, 7);
        assert_eq!(flash.write(0, &[0; 8]), Err(MockError::Off));
        let mut seen = Vec::new();
        for _ in 0..20 {
            flash.power_on();
            seen.push(u64::from_be_bytes(
                flash.bytes()[..8].try_into().expect("8"),
            ));
        }
        let expected = |word: u64| match torn {
            Torn::Old => word == u64::MAX,
            Torn::New => word == 0,
            Torn::Prefix => word == 0x0000_00FF_FFFF_FFFF,
            Torn::Mix => word == seen[0] && word != 0 && word != u64::MAX,
            Torn::Unstable => true,
        };
        assert!(seen.iter().all(|word| expected(*word)), "{torn:?}");
        if torn == Torn::Unstable {
            assert!(seen.contains(&0) && seen.contains(&u64::MAX));
            assert!(seen.iter().any(|word| *word != 0 && *word != u64::MAX));
        }
    }
}
