use std::collections::BTreeSet;

use super::{DIRECT, Direct, Table, changes, collect, print, read_record, text};

/// Threat: SUP-12
#[test]
fn the_record_is_what_is_built() {
    let record = read_record().unwrap();
    let (table, direct) = collect(&record).unwrap();
    let changes = changes(&record, &table);
    assert!(
        changes.is_empty(),
        "look at what changed, then run `cargo xtask supply-chain`:\n{}",
        changes.join("\n")
    );
    let problems = Direct::read(&text(DIRECT).unwrap()).unwrap().check(&direct);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A table of two crates.
fn table() -> Table {
    toml::from_str(
        r#"
        [device]
        "aes 0.8.4" = { in = "qemu-riscv", licence = "MIT", unsafe = 3 }
        [build]
        "syn 2.0.1" = { in = "signer", by = "serde", licence = "MIT", unsafe = 4, runs = "script" }
        "#,
    )
    .unwrap()
}

#[test]
fn what_is_printed_is_read_again() {
    let again: Table = toml::from_str(&print(&table())).unwrap();
    assert_eq!(
        again.get("device").zip(again.get("build")),
        table().get("device").zip(table().get("build"))
    );
}

#[test]
fn every_kind_of_change_is_found() {
    let with = |change: &dyn Fn(&mut Table)| {
        let mut new = table();
        change(&mut new);
        changes(&table(), &new)
    };
    assert_eq!(with(&|_| {}), Vec::<String>::new());
    let gone = with(&|new| {
        new.get_mut("device").unwrap().clear();
    });
    assert_eq!(gone.len(), 1);
    assert!(
        gone.iter()
            .all(|line| line.starts_with("- [device] \"aes 0.8.4\""))
    );
    let newer = with(&|new| {
        let device = new.get_mut("device").unwrap();
        let line = device.remove("aes 0.8.4").unwrap();
        device.insert("aes 0.8.5".into(), line);
    });
    assert_eq!(newer.len(), 2);
    let script = with(&|new| {
        let line = new.get_mut("device").unwrap().get_mut("aes 0.8.4").unwrap();
        line.runs = "script".into();
    });
    assert!(
        script
            .iter()
            .any(|line| line.starts_with('+') && line.contains("runs = \"script\""))
    );
    let elsewhere = with(&|new| {
        let line = new.get_mut("build").unwrap().remove("syn 2.0.1").unwrap();
        new.get_mut("device")
            .unwrap()
            .insert("syn 2.0.1".into(), line);
    });
    assert_eq!(elsewhere.len(), 2);
}

#[test]
fn direct_dependencies_have_their_sentences() {
    let entry = |looked: &str| {
        let text = format!("[aes]\nwhat = 'a'\nkept = 'b'\nwhy = 'c'\nlooked = '{looked}'");
        Direct::read(&text).unwrap()
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let there: BTreeSet<String> = names(&["aes"]);
    assert!(entry("not read").check(&there).is_empty());
    assert_eq!(entry(" ").check(&there).len(), 1);
    assert_eq!(entry("not read").check(&names(&["aes", "ccm"])).len(), 1);
    assert_eq!(entry("not read").check(&names(&[])).len(), 1);
    assert!(Direct::read("[aes]\nwhat = 'a'").is_err());
}
