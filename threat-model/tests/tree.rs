//! The threat model is true of this tree.

mod common;

use common::{none, pages, root, sources, table, unsafe_list};
use threat_model::{census, check, entry, overview};

#[test]
fn every_claim_has_its_test() {
    none(&check(&table(), &sources(), &pages(), &root()));
}

#[test]
fn every_unsafe_has_its_reason() {
    none(&census(&unsafe_list(), &sources()));
}

#[test]
fn the_table_prints_every_threat() {
    let table = table();
    let overview = overview(&table);
    for threat in &table.threats {
        assert!(overview.contains(&threat.title), "{}", threat.id);
        let entry = entry(threat);
        assert!(threat.tests.iter().all(|test| entry.contains(test)));
    }
}
