//! libcoap with OSCORE, which the tests compare with.
//!
//! Debian 12 and crates.io have libcoap 4.3.1, which has no OSCORE; Debian 13
//! has 4.3.4 with it. Its packages are unpacked into the target folder, with
//! the C library that they are for, so that any Linux of this architecture can
//! run them and nothing of the system changes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::{run, say, target};
use crate::setup::packages;

const SUITE: &str = "trixie";
const ARCHIVE: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// The client, and what it links to.
const PACKAGES: [&str; 6] = [
    "libcoap3-bin",
    "libcoap3t64",
    "libssl3t64",
    "libzstd1",
    "zlib1g",
    "libc6",
];

/// libcoap's command line client. Returns a program that can be run anywhere.
pub(crate) fn client() -> Result<PathBuf> {
    let root = target().join("libcoap");
    let client = root.join("coap-client");
    if works(&client) {
        return Ok(client);
    }
    packages(&["debian-archive-keyring"], || Path::new(KEYRING).is_file())?;
    say("unpacking libcoap of Debian 13");
    if root.exists() {
        std::fs::remove_dir_all(&root).context("cannot remove the old libcoap")?;
    }
    let archives = root.join("archives");
    for folder in ["lists/partial", "cache/archives/partial", "archives"] {
        std::fs::create_dir_all(root.join(folder)).context("cannot make a folder for libcoap")?;
    }
    std::fs::write(root.join("status"), "").context("cannot write to the target folder")?;
    std::fs::write(
        root.join("sources.list"),
        format!("deb [signed-by={KEYRING}] {ARCHIVE} {SUITE} main\n"),
    )
    .context("cannot write to the target folder")?;
    run(apt(&root).args(["update", "--quiet"]))?;
    run(apt(&root)
        .args(["download", "--quiet"])
        .args(PACKAGES)
        .current_dir(&archives))?;
    let files = root.join("files");
    for archive in entries(&archives)? {
        run(Command::new("dpkg-deb")
            .arg("--extract")
            .arg(&archive)
            .arg(&files))?;
    }
    write_script(&client, &files)?;
    for folder in ["lists", "cache", "archives"] {
        std::fs::remove_dir_all(root.join(folder)).context("cannot clean up")?;
    }
    ensure!(works(&client), "{} has no OSCORE", client.display());
    Ok(client)
}

/// Whether it runs and knows OSCORE: its usage text says so.
fn works(client: &Path) -> bool {
    let usage = Command::new(client).output();
    usage.is_ok_and(|usage| String::from_utf8_lossy(&usage.stderr).contains("Have OSCORE"))
}

/// apt-get that knows one archive only, and no installed packages.
fn apt(root: &Path) -> Command {
    let mut apt = Command::new("apt-get");
    let mut set = |name: &str, value: &Path| {
        apt.arg("-o").arg(format!("{name}={}", value.display()));
    };
    set("Dir::Etc::sourcelist", &root.join("sources.list"));
    set("Dir::Etc::sourceparts", Path::new("-"));
    set("Dir::State::status", &root.join("status"));
    set("Dir::State::lists", &root.join("lists"));
    set("Dir::Cache", &root.join("cache"));
    apt.args(["-o", "APT::Sandbox::User=root"]);
    for unwanted in [
        "Acquire::Languages=none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
    ] {
        apt.args(["-o", unwanted]);
    }
    apt
}

/// A script that runs the client with the loader and the libraries of its own
/// distribution.
fn write_script(script: &Path, files: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let libraries = entries(&files.join("usr/lib"))?
        .into_iter()
        .find(|folder| folder.join("libc.so.6").is_file())
        .context("no C library among the packages")?;
    let loader = entries(&libraries)?
        .into_iter()
        .find(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("ld-linux") || name.starts_with("ld64")
        })
        .context("no loader among the packages")?;
    let text = format!(
        "#!/bin/sh\nexec '{}' --inhibit-cache --library-path '{}' '{}' \"$@\"\n",
        loader.display(),
        libraries.display(),
        files.join("usr/bin/coap-client-openssl").display(),
    );
    std::fs::write(script, text).context("cannot write to the target folder")?;
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755))
        .context("cannot make the client a program")
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}
