//! Files with credentials.

use std::fs;

use updater::keys::{self, KeyError};

#[test]
fn a_new_pair_is_loaded_again() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("op.cred");
    let made = keys::generate(&out, None).unwrap();
    assert_eq!(made.public, dir.path().join("op.pub"));
    assert_eq!(made.name, "op");
    let identity = keys::load_identity(&out).unwrap();
    let public = keys::load_credential(&made.public).unwrap();
    assert_eq!(identity.credential(), &public);
    assert_eq!(public.subject(), "op");
}

#[test]
#[cfg(unix)]
fn the_private_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("op.cred");
    keys::generate(&out, None).unwrap();
    let mode = fs::metadata(&out).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn no_file_is_overwritten_and_none_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    for (exists, other) in [("op.cred", "op.pub"), ("op.pub", "op.cred")] {
        fs::write(dir.path().join(exists), "mine").unwrap();
        let error = keys::generate(&dir.path().join("op.cred"), None).unwrap_err();
        assert!(matches!(error, KeyError::Exists(_)), "{error}");
        assert_eq!(fs::read(dir.path().join(exists)).unwrap(), b"mine");
        assert!(!dir.path().join(other).exists());
        fs::remove_file(dir.path().join(exists)).unwrap();
    }
    let error = keys::generate(&dir.path().join("op.pub"), None).unwrap_err();
    assert!(matches!(error, KeyError::Name(_)), "{error}");
}

#[test]
fn names_are_cut_from_files_and_refused_as_options() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("a-name-of-more-than-twenty-bytes.cred");
    assert_eq!(keys::generate(&long, None).unwrap().name.len(), 20);
    for name in ["", "a-name-of-more-than-twenty-bytes", "a\nb"] {
        let error = keys::generate(&dir.path().join("op.cred"), Some(name)).unwrap_err();
        assert!(matches!(error, KeyError::Subject(_)), "{error}");
    }
}

#[test]
fn public_and_private_files_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("op.cred");
    let public = keys::generate(&out, None).unwrap().public;
    for error in [
        keys::load_identity(&public).unwrap_err(),
        keys::load_credential(&out).unwrap_err(),
        keys::load_identity(&dir.path().join("missing")).unwrap_err(),
    ] {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}
