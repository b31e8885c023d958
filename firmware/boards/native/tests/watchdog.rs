//! What happens when the core of a device hangs: it starts again.

mod common;

use std::time::{Duration, Instant};

use common::{Bench, V1};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "for boards with a watchdog, which SEALIFT_BOARD names"]
fn a_device_that_hangs_starts_again_as_it_was() {
    let Bench {
        workshop,
        mut device,
    } = Bench::with_v1();
    device.kill().unwrap();
    let hanging = workshop
        .device_with(|options| options.extra.push("hang=yes".into()))
        .unwrap();
    let started = Instant::now();
    let starts = |log: &str| log.matches("listening on ").count();
    while starts(&hanging.log()) < 3 {
        assert!(started.elapsed() < PATIENCE, "{}", hanging.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(hanging.log().contains("the watchdog was not fed"));
    drop(hanging);

    let device = workshop.device().unwrap();
    Bench { workshop, device }.answers(V1);
}
