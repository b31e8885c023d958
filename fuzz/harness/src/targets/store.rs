//! Any history of the store, with power cuts, restarts and payloads that are not those
//! of their manifest; after each step it has to be what its model says.
//!
//! The first byte of an input chooses the kind of flash, and whether bits that read
//! differently each time are among what a cut leaves. Each four bytes after that are a
//! step.

use std::sync::OnceLock;

use sealift_manifest::build_envelope;
use sealift_storage::Layout;
use sealift_storage::sim::{Capsule, Driver, MockFlash, Operation, Torn};

use crate::promise::{anchor, fake_key, spec};

const NAMES: [&str; 2] = ["vm1", "vm2"];
/// Capsules of a component; their sequence numbers count from 1.
const EACH: usize = 24;
/// Steps of a history.
const MAX_STEPS: usize = 256;
/// Bytes of a slot.
const SLOT: usize = 4096;
/// Cuts of a history that leaves unstable bits: what the store promises to survive
/// ends there.
const UNSTABLE_CUTS: usize = 2;

/// Returns whether the power was cut.
pub(super) fn run(input: &[u8]) -> bool {
    let Some((kind, steps)) = input.split_first() else {
        return false;
    };
    let unstable = kind & 4 != 0;
    let cuts = match kind % 4 {
        0 => history::<4, 256>(steps, unstable),
        1 => history::<1, 512>(steps, unstable),
        2 => history::<8, 2048>(steps, unstable),
        _ => history::<256, 1024>(steps, unstable),
    };
    cuts.expect("the store is what the model says") > 0
}

pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    // Open, send, activate, try, confirm; then the next one, cut at some place, with a
    // restart, taken back.
    let update = |i: u8| [[0, i, 0, 0], [1, 0xff, 0xff, 0], [3, i, 3, 0], [4, 0, 0, 0]].concat();
    let confirm = |i: u8| vec![5, i, 0, 0];
    let mut seeds = Vec::new();
    for kind in 0..8 {
        let history = [
            update(0),
            confirm(0),
            vec![9, 5, kind, 40],
            update(1),
            vec![10, 0, 0, 0],
            confirm(1),
            vec![9, 200, kind, 3],
            update(3),
            vec![7, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0],
        ];
        let input = [vec![kind], history.concat()].concat();
        seeds.push((format!("updates-{kind}"), input));
    }
    seeds
}

fn history<const WORD: usize, const PAGE: usize>(
    steps: &[u8],
    unstable: bool,
) -> Result<u32, String> {
    let slot_pages = SLOT.div_ceil(PAGE) as u16;
    let page = PAGE as u32;
    let layout = Layout::new(page, slot_pages, NAMES);
    let pages = 2 + 2 * (2 + 2 * usize::from(slot_pages));
    let flash = MockFlash::with_garbage(pages, 5);
    let capsules = capsules().to_vec();
    let mut driver = Driver::<WORD, PAGE, 2>::new(flash, layout, slot_pages, capsules, 500)?;
    let mut cuts_left = if unstable { UNSTABLE_CUTS } else { MAX_STEPS };
    for step in steps.chunks_exact(4).take(MAX_STEPS) {
        let [what, a, b, c] = [0, 1, 2, 3].map(|at| step.get(at).copied().unwrap_or_default());
        let component = usize::from(what >> 7);
        let capsule = component * EACH + usize::from(a) % EACH;
        let operation = match what % 11 {
            0 => Operation::Open(capsule),
            1 => Operation::Write(u32::from(u16::from_le_bytes([a, b]))),
            2 => Operation::Abort,
            3 => Operation::Activate(capsule, b % 4),
            4 => Operation::Attempt,
            5 => Operation::Confirm(capsule),
            6 => Operation::Rollback,
            7 => Operation::Revert,
            8 => Operation::Remove,
            9 => {
                if let Some(left) = cuts_left.checked_sub(1) {
                    cuts_left = left;
                    let modes = if unstable { 5 } else { 4 };
                    let torn = Torn::ALL.get(usize::from(b) % modes).copied();
                    let at = u64::from(u16::from_le_bytes([a, c & 0x0f]));
                    driver.cut_at(&[(at, torn.unwrap_or(Torn::Old), u64::from(c))])?;
                }
                continue;
            }
            _ => {
                driver.restart()?;
                continue;
            }
        };
        driver.operate(component, operation)?;
    }
    driver.intact()?;
    Ok(driver.cuts())
}

/// Of all sizes and floors, some of them dishonest: made once, as signing takes time.
fn capsules() -> &'static [Capsule] {
    static CAPSULES: OnceLock<Vec<Capsule>> = OnceLock::new();
    CAPSULES.get_or_init(|| {
        let numbered = NAMES
            .iter()
            .flat_map(|name| (0..EACH).map(move |i| (name, i)));
        numbered.map(|(name, i)| capsule(name, i)).collect()
    })
}

fn capsule(component: &str, i: usize) -> Capsule {
    let sequence = i as u64 + 1;
    let length = [901, 1500, 64, 3072, 2, 3073, 300][i % 7];
    let floor = if i.is_multiple_of(3) {
        0
    } else {
        sequence - i as u64 % 3
    };
    let described: Vec<u8> = (0..length).map(|at| (at * 7 + i * 31) as u8).collect();
    let mut sent = described.clone();
    if i % 7 == 6
        && let Some(first) = sent.first_mut()
    {
        *first ^= 0x80;
    }
    let mut spec = spec(component, sequence, &described);
    spec.invoke.floor = floor;
    let head = build_envelope(&spec, &[&fake_key()], None, None).expect("builds");
    Capsule::new(head, sent, &[anchor()]).expect("verifies")
}
