//! The programs that are shipped: the one list of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::image::Image;
use crate::run::root;
use crate::{build, image};

/// A program that is built here and used elsewhere.
pub(crate) struct Artifact {
    /// The binary.
    pub(crate) binary: &'static str,
    /// Who would be hurt by what is hidden in it.
    pub(crate) trust: Trust,
    from: From,
}

/// How a program is built.
enum From {
    /// By this command, to this folder of the target folder.
    Host(fn() -> Command, &'static str),
    /// As the image of a board.
    Image(&'static Image),
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
        let tools = || From::Host(build::tools_command, "debug");
        let device = From::Host(build::device_command, "release");
        let of = |binary, trust, from| Self {
            binary,
            trust,
            from,
        };
        let mut all = vec![
            of("signer", Trust::Translator, tools()),
            of("updater", Trust::Tool, tools()),
            // A device too, but one to try things with, with a command line and a
            // log for people. What it shares with boards, they have as well.
            of("sealift-native", Trust::Tool, device),
        ];
        all.extend(image::all().map(|image| of(image.package, Trust::Device, From::Image(image))));
        all
    }

    /// What it is called in the record and in file names.
    pub(crate) fn name(&self) -> &'static str {
        self.binary.strip_prefix("sealift-").unwrap_or(self.binary)
    }

    /// What it is compiled for; nothing for the host.
    pub(crate) fn target(&self) -> Option<&'static str> {
        match self.from {
            From::Host(..) => None,
            From::Image(image) => Some(image.target),
        }
    }

    /// The folder with its `Cargo.lock`.
    pub(crate) fn workspace(&self) -> PathBuf {
        match self.from {
            From::Host(..) => root(),
            From::Image(image) => root().join(image.workspace),
        }
    }

    /// The command whose units are looked at: the one that builds it, without
    /// the standard library where that is built with it, as nothing else
    /// depends on how.
    pub(super) fn units(&self) -> Command {
        match self.from {
            From::Host(command, _) => command(),
            From::Image(image) => image.cargo("build", &image::folder(), image.target),
        }
    }

    /// The command that builds it in a target folder, with more flags for the
    /// compiler; and where it is then.
    pub(crate) fn build(&self, folder: &Path, flags: &[String]) -> Result<(Command, PathBuf)> {
        match self.from {
            From::Host(command, profile) => {
                let mut command = command();
                command.arg("--target-dir").arg(folder).arg("--config");
                command.arg(format!("build.rustflags={flags:?}"));
                Ok((command, folder.join(profile).join(self.binary)))
            }
            From::Image(image) => {
                let built = folder.join(image.target).join("release");
                Ok((image.command(folder, flags)?, built.join(self.binary)))
            }
        }
    }
}
