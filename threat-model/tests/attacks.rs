//! The folders of `manifest/attacks` belong to threats that there are.

mod common;

use std::fs;

use common::{root, table};
use serde::Deserialize;
use threat_model::Status;

#[derive(Deserialize)]
struct Description {
    threat: Option<String>,
    stage: String,
}

#[test]
fn each_attack_belongs_to_a_controlled_threat() {
    let table = table();
    let folder = root().join("manifest/attacks");
    let mut attacks = 0;
    for entry in fs::read_dir(folder).expect("the attacks are there") {
        let entry = entry.expect("can be read");
        if !entry.path().is_dir() {
            continue;
        }
        let name = entry.file_name();
        let text = fs::read_to_string(entry.path().join("attack.toml")).expect("is in each");
        let description: Description = toml::from_str(&text).expect("is a description");
        let Some(id) = description.threat else {
            assert_eq!(description.stage, "taken", "{name:?}");
            continue;
        };
        let threat = table.get(&id).unwrap_or_else(|| panic!("{name:?}: {id}"));
        assert_eq!(threat.status, Status::Controlled, "{name:?}: {id}");
        attacks += 1;
    }
    assert!(attacks > 300, "{attacks}");
}
