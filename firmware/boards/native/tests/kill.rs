//! SIGKILL at arbitrary moments of an update: nothing is lost, and the update
//! comes to its end.

mod common;

use std::time::Duration;

use common::{Bench, V1, V2, v2};
use testbed::Sign;

/// Updates that are disturbed: 12, or what the variable SEALIFT_KILLS says.
fn rounds() -> u64 {
    std::env::var("SEALIFT_KILLS").map_or(12, |rounds| rounds.parse().expect("a number"))
}

#[test]
fn an_update_ends_well_although_the_device_is_killed_in_the_middle() {
    let mut bench = Bench::with_v1();
    // Any sequence of moments will do, and the same one each time.
    let mut moment = 0x2545_f491_4f6c_dd1d_u64;
    for sequence in 2..2 + rounds() {
        let (sign, before, after) = if sequence % 2 == 0 {
            (v2(sequence), V1, V2)
        } else {
            let sign = Sign {
                sequence,
                ..Sign::default()
            };
            (sign, V2, V1)
        };
        bench.sign("next.suit", &sign);
        let options = ["--ack-timeout", "0.1", "--block-size", "64"];
        let push = [&options[..], &["push", "next.suit"]].concat();
        let mut updater = bench
            .workshop
            .spawn_updater(&bench.device, "op", &push)
            .unwrap();
        moment ^= moment << 13;
        moment ^= moment >> 7;
        moment ^= moment << 17;
        std::thread::sleep(Duration::from_millis(20 + moment % 400));
        bench = bench.restart();

        let running = bench.version("vm1");
        assert!([before, after].contains(&running.as_str()), "{running}");
        // By itself or by a second try.
        if !updater.wait().unwrap().success() {
            bench.op(&push);
        }
        bench.answers(after);
        bench.op(&["confirm", "vm1"]);
        let status = bench.op(&["status", "vm1", "--json"]);
        assert!(status.contains(&sequence.to_string()), "{status}");
    }
}
