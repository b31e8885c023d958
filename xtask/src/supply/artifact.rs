//! The programs that are shipped: the one list of them.

use std::path::PathBuf;
use std::process::Command;

use crate::run::root;
use crate::{build, image};

/// A program that is built here and used elsewhere.
pub(crate) struct Artifact {
    /// The binary.
    pub(crate) binary: &'static str,
    /// Who would be hurt by what is hidden in it.
    pub(crate) trust: Trust,
    /// What it is compiled for; the host if nothing is said.
    pub(crate) target: Option<&'static str>,
    /// The folder with its `Cargo.lock`.
    pub(crate) workspace: PathBuf,
    build: Command,
}

/// What a program is trusted with, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    /// It is a device: it decides what runs.
    Device,
    /// It holds the key that devices trust.
    Translator,
    /// Anything else.
    Tool,
}

impl Artifact {
    /// All of them: host tools first, then the image of every board.
    pub(crate) fn all() -> Vec<Self> {
        let host = |binary, trust, build| Self {
            binary,
            trust,
            target: None,
            workspace: root(),
            build,
        };
        let mut all = vec![
            host("signer", Trust::Translator, build::tools_command()),
            host("updater", Trust::Tool, build::tools_command()),
            // A device too, but one to try things with, with a command line and a
            // log for people. What it shares with boards, they have as well.
            host("sealift-native", Trust::Tool, build::device_command()),
        ];
        all.extend(image::ALL.into_iter().map(|image| Self {
            binary: image.package,
            trust: Trust::Device,
            target: Some(image.target),
            workspace: root().join(image::WORKSPACE),
            build: image.cargo("build"),
        }));
        all
    }

    /// What it is called in the record and in file names.
    pub(crate) fn name(&self) -> &'static str {
        self.binary.strip_prefix("sealift-").unwrap_or(self.binary)
    }

    /// The command that builds it, without the standard library where that is
    /// built with it: nothing else depends on how.
    pub(super) fn command(self) -> Command {
        self.build
    }
}
