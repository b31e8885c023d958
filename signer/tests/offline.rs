//! The translator has no network code and no dependency that has any.

use std::path::Path;
use std::process::Command;

/// Crates that open sockets or exist to do so.
const NETWORK: [&str; 26] = [
    "async-net",
    "async-std",
    "attohttpc",
    "coap",
    "coap-lite",
    "curl",
    "embassy-net",
    "h2",
    "hickory-resolver",
    "hyper",
    "isahc",
    "libp2p",
    "mio",
    "native-tls",
    "openssl",
    "quinn",
    "reqwest",
    "rustls",
    "sealift-oscore",
    "smol",
    "smoltcp",
    "socket2",
    "tokio",
    "tungstenite",
    "updater",
    "ureq",
];

#[test]
fn no_dependency_has_network_code() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--package",
            "signer",
            "--edges",
            "normal,build",
        ])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout).expect("text");
    let names: Vec<_> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    // Or else this looks at nothing.
    for expected in ["signer", "wasmtime", "sealift-manifest", "ed25519-compact"] {
        assert!(names.contains(&expected), "{expected} is not in the tree");
    }
    for name in NETWORK {
        assert!(!names.contains(&name), "{name} is in the tree");
    }
}

#[test]
fn no_source_file_opens_a_socket() {
    let mut seen = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("source text");
            for word in [
                "std::net",
                "net::",
                "TcpStream",
                "UdpSocket",
                "UnixStream",
                "libc",
            ] {
                assert!(!text.contains(word), "{word} in {}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen >= 10);
}
