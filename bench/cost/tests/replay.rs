//! What is counted is what was recorded. Needs signed capsules, in the folder that
//! `SEALIFT_FUZZ_FIXTURES` names; without it the test says so and does nothing.
//! `cargo xtask test` provides them.

use std::path::Path;

use sealift_cost::cases::{Signed, all};
use sealift_cost::replay::replay;
use sealift_cost::steps::{decode, encode};

#[test]
fn in_a_replay_the_device_says_the_same() {
    let Some(folder) = std::env::var_os(fuzz_harness::FOLDER) else {
        println!("skipped: {} names no folder", fuzz_harness::FOLDER);
        return;
    };
    let signed = Signed::read(Path::new(&folder)).expect("readable");
    for case in all(&signed).expect("recorded") {
        println!("{}", case.name);
        let counted = case.steps.iter().filter(|step| step.counted).count();
        // A key exchange and its request are three datagrams.
        let times = case.times as usize;
        assert!(counted == times || counted == 3 * times, "{counted}");
        let steps = decode(&encode(&case.steps).expect("short")).expect("whole");
        let mut said = Vec::new();
        replay(&steps, |sent| said.push(sent)).expect("replayed");
        assert!(said == case.sent, "it says something else");
    }
}
