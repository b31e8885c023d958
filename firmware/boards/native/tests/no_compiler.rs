//! What ships on a device can run capsules, not make them.

use std::process::Command;

#[test]
fn the_device_carries_no_compiler() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--prefix", "none"])
        .args([
            "--package",
            "sealift-native",
            "--edges",
            "normal,no-proc-macro",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success());
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("pulley-interpreter"), "{tree}");
    for compiler in ["cranelift-codegen", "winch", "wit-component", "signer"] {
        let found = tree.lines().find(|line| line.starts_with(compiler));
        assert_eq!(found, None);
    }
}
