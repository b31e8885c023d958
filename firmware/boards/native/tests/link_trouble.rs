//! What may come between the two ends of an update. It goes on from the last block
//! that was stored, and no more than a page of the flash is sent again: what the
//! updater sends is counted on its way, each datagram once.

mod common;

use std::process::Child;

use common::{Bench, V1, V2, v2};
use testbed::{Outcome, Proxy, Sign, Weather};

const BLOCK: usize = 1024;
/// A message with a whole block is longer than this, and others are not.
const LONG: usize = 1060;
/// Blocks in an erase page of the native device.
const PAGE: usize = 4096 / BLOCK;

/// Quick to send again, and patient.
const OPTIONS: [&str; 7] = [
    "--ack-timeout",
    "0.05",
    "--retries",
    "8",
    "push",
    "v2.suit",
    "-v",
];

/// An update that stands in the middle, on a link that is cut.
struct Update {
    bench: Bench,
    proxy: Proxy,
    updater: Child,
    /// Whole blocks of the payload; the last one is shorter.
    blocks: usize,
}

/// Begins an update and cuts the link after so many blocks of the payload.
fn cut_after(blocks: usize) -> Update {
    let bench = Bench::with_v1();
    let workshop = &bench.workshop;
    workshop.enlarge("thermometer-v2", "large", 25_000).unwrap();
    let sign = Sign {
        capsule: "large",
        extra: &["--detached"],
        ..v2(2)
    };
    bench.sign("v2.suit", &sign);
    let proxy = Proxy::start(bench.device.address(), Weather::default(), 1).unwrap();
    proxy.cut_after(blocks, LONG);
    let updater = push(&bench, &proxy);
    proxy.wait_for_cut().unwrap();
    let payload = bench.read("v2.suit.payload").len();
    assert!(blocks + PAGE < payload / BLOCK, "not in the middle");
    Update {
        blocks: payload / BLOCK,
        bench,
        proxy,
        updater,
    }
}

fn push(bench: &Bench, proxy: &Proxy) -> Child {
    let workshop = &bench.workshop;
    workshop
        .updater_over(proxy, &bench.device, "op", &OPTIONS)
        .unwrap()
}

impl Update {
    /// Mends the link, and waits for the end of the update. Returns how many blocks
    /// were sent again, in messages of their own.
    fn finish(self) -> usize {
        self.proxy.mend();
        if let Err(error) = Outcome::of_child(self.updater).unwrap().success() {
            panic!("{error}\n{}", self.bench.device.log());
        }
        self.bench.answers(V2);
        self.bench.op(&["confirm", "vm1"]);
        self.proxy.different_above(LONG) - self.blocks
    }
}

#[test]
fn an_update_survives_a_change_of_the_address() {
    for blocks in [1, 7] {
        let update = cut_after(blocks);
        update.proxy.change_ports();
        // The block that was answered to the old address.
        let again = update.finish();
        assert!(again <= 1, "{again} blocks again");
    }
}

#[test]
fn an_update_survives_a_restart_of_the_updater() {
    for blocks in [1, 7] {
        let mut update = cut_after(blocks);
        update.updater.kill().unwrap();
        update.updater.wait().unwrap();
        update.bench.answers(V1);
        update.proxy.mend();
        update.updater = push(&update.bench, &update.proxy);
        let again = update.finish();
        assert!(again <= 1, "{again} blocks again");
    }
}

#[test]
fn an_update_survives_a_power_cut_of_the_device() {
    // At the end of a page, at its start, and in it.
    for blocks in [4, 5, 7] {
        let mut update = cut_after(blocks);
        update.bench = update.bench.restart();
        update.bench.answers(V1);
        let again = update.finish();
        assert!(again <= PAGE, "{again} blocks again");
    }
}

#[test]
fn an_update_survives_power_cuts_of_both_ends_again_and_again() {
    let mut update = cut_after(5);
    let mut sent = 5;
    for round in 1..=4 {
        update.updater.kill().unwrap();
        update.updater.wait().unwrap();
        update.bench = update.bench.restart();
        // On to one page further than ever before.
        sent = update.proxy.different_above(LONG).max(sent) + PAGE + 2;
        update.proxy.mend();
        update.proxy.cut_after(sent, LONG);
        update.updater = push(&update.bench, &update.proxy);
        update.proxy.wait_for_cut().unwrap();
        println!("round {round}: {sent} blocks sent");
    }
    let again = update.finish();
    assert!(again <= 4 * PAGE + 1, "{again} blocks again");
}

#[test]
fn an_update_survives_the_loss_of_its_security_context() {
    let update = cut_after(7);
    // There are sixteen; of one peer, the one that was not used for longest goes.
    for _ in 0..16 {
        update.bench.op(&["status"]);
    }
    // The block that met no context.
    let again = update.finish();
    assert!(again <= 1, "{again} blocks again");
}
