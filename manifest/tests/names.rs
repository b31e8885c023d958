//! Names that stand in command lines, status reports and envelopes.

mod common;

use common::{anchor, fake_key};
use sealift_manifest::{Error, Grants, PublicKey};

#[test]
fn grants_have_names() {
    let names = ["log", "rng", "time", "sensors", "gpio", "udp"];
    assert_eq!(Grants::ALL.names().collect::<Vec<_>>(), names);
    assert_eq!(Grants::NONE.names().count(), 0);
    assert!(Grants::NONE.is_empty());
    let mut all = Grants::NONE;
    for (bit, name) in names.into_iter().enumerate() {
        let grant = Grants::from_name(name).expect("is a name");
        assert_eq!(grant.bits(), 1 << bit);
        assert_eq!(grant.names().collect::<Vec<_>>(), [name]);
        assert!(!all.contains(grant));
        all = all.union(grant);
        assert!(all.contains(grant));
        assert_eq!(all.union(grant), all, "once is enough");
        assert!(!all.is_empty());
    }
    assert_eq!(all, Grants::ALL);
    assert_eq!(Grants::from_name("LOG"), None);
    assert_eq!(Grants::from_name(""), None);
    assert_eq!(
        format!("{:?}", Grants::LOG.union(Grants::UDP)),
        r#"{"log", "udp"}"#
    );
}

#[test]
fn unknown_grants_have_no_set() {
    assert_eq!(Grants::from_bits(0), Some(Grants::NONE));
    assert_eq!(Grants::from_bits(0b11_1111), Some(Grants::ALL));
    for bit in 6..32 {
        assert_eq!(Grants::from_bits(1 << bit), None);
    }
}

#[test]
fn a_key_is_named_by_its_digest() {
    let key = anchor(&fake_key(1));
    assert_eq!(key.key_id().to_string(), "34750f98bd59fcfc");
    assert_eq!(format!("{key:?}"), "PublicKey(34750f98bd59fcfc)");
    assert_eq!(format!("{:?}", key.key_id()), "KeyId(34750f98bd59fcfc)");
    let again = PublicKey::from_bytes(&key.to_bytes()).expect("is the same key");
    assert_eq!(again, key);
}

#[test]
fn every_error_says_something_of_its_own() {
    let mut texts: Vec<String> = Error::ALL.iter().map(ToString::to_string).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), Error::ALL.len());
}
