//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use sealift_provision::files::allowance;
use sealift_wire::Roles;
use updater::{Address, BlockSize, Method};

/// Sends capsules to devices over CoAP with EDHOC and OSCORE, and manages them.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 done, 1 refused or failed, 2 wrong usage."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) link: LinkArgs,
    /// Say more on stderr; repeat for still more
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How to reach the device, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Device")]
pub(crate) struct LinkArgs {
    /// The device
    #[arg(long, global = true, value_name = "coap://HOST:PORT")]
    pub(crate) device: Option<Address>,
    /// Own credential, as keygen makes it
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) cred: Option<PathBuf>,
    /// Public credential of the device
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) peer: Option<PathBuf>,
    /// Seconds to wait for an answer before a message is sent again, 0.01 to 600,
    /// and up to half of that on top at random. That is the first guess: the wait
    /// then follows the round trips that are measured, down to 0.2 seconds, or to
    /// this if it is less
    #[arg(long, global = true, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub(crate) ack_timeout: Duration,
    /// How often that wait is doubled before a message is given up, 0 to 12: with 4,
    /// after 31 times --ack-timeout and a random half of it more. That many
    /// retransmissions are made, or more on a quick link. 0: none
    #[arg(long, global = true, value_name = "N", default_value = "4",
          value_parser = clap::value_parser!(u32).range(0..=12))]
    pub(crate) retries: u32,
    /// Bytes in a block: a power of two from 16 to 1024
    #[arg(long, global = true, value_name = "BYTES", default_value = "1024", value_parser = block_size)]
    pub(crate) block_size: BlockSize,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a credential: FILE, and beside it the public part for the device
    Keygen {
        /// Where to write it, such as op.cred; the public part becomes op.pub
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Name in the credential, at most 20 bytes; by default that of the file
        #[arg(long)]
        name: Option<String>,
    },
    /// Make the record that tells a microcontroller whom it trusts, to be written to
    /// its flash
    Provision(ProvisionArgs),
    /// List the resources of the device
    Discover,
    /// Show what is installed and running
    Status {
        /// Only this component
        vm: Option<String>,
        /// As JSON, with all there is to know
        #[arg(long)]
        json: bool,
    },
    /// Install a capsule; run it again after an interruption and it goes on where
    /// it stopped
    Push(PushArgs),
    /// Keep the capsule that runs as a trial
    Confirm {
        /// Component, such as vm1
        vm: String,
    },
    /// Put the previous confirmed capsule back
    Rollback {
        /// Component, such as vm1
        vm: String,
    },
    /// Stop and remove a capsule
    Remove {
        /// Component, such as vm1
        vm: String,
    },
    /// Send a request to a resource of a capsule
    Call {
        /// GET, POST, PUT, DELETE, FETCH, PATCH or IPATCH
        method: Method,
        /// Path, such as /vm1/temperature?unit=K
        path: String,
        /// Body: text, or @FILE
        #[arg(long, value_name = "TEXT|@FILE")]
        payload: Option<String>,
        /// Content-Format of the body, by its number
        #[arg(long, value_name = "N")]
        content_format: Option<u16>,
    },
    /// Run an ephemeral capsule to its end and print its output
    Run {
        /// Envelope with the payload inside
        envelope: PathBuf,
        /// Input: text, or @FILE
        #[arg(long, value_name = "TEXT|@FILE")]
        input: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ProvisionArgs {
    /// Public key of a translator whose signature is trusted; can be repeated
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) trust: Vec<PathBuf>,
    /// Translators that have to sign each capsule, with a key of their own each:
    /// 1 to 4
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) threshold: u8,
    /// Public key of whoever may change by a signed record whom the device
    /// trusts, and signs nothing else; can be repeated. Without one, nobody may
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Vec<PathBuf>,
    /// Root keys that have to sign such a record: 1 to 4
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) root_threshold: u8,
    /// A role - deploy, observe or use - and the credential that gets it; can
    /// be repeated
    #[arg(long, value_name = "ROLE=FILE", value_parser = allowance)]
    pub(crate) allow: Vec<(Roles, PathBuf)>,
    /// Where to write the record, a new file; the board's README says where on the
    /// flash it belongs
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Envelope
    pub(crate) envelope: PathBuf,
    /// Payload of an envelope that has none inside; by default ENVELOPE.payload
    #[arg(long, value_name = "FILE")]
    pub(crate) payload: Option<PathBuf>,
    /// How often to reconnect and resume by itself when the link fails, without
    /// getting any further in between
    #[arg(long, value_name = "N", default_value = "3")]
    pub(crate) resume_tries: u32,
    /// For tests and demonstrations of an interruption: end with exit status 1
    /// once this many payload bytes were sent
    #[arg(long, value_name = "BYTES")]
    pub(crate) stop_after: Option<u64>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "not a number of seconds from 0.01 to 600".to_owned();
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    if !(0.01..=600.0).contains(&seconds) {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

fn block_size(text: &str) -> Result<BlockSize, String> {
    text.parse()
        .ok()
        .and_then(BlockSize::from_bytes)
        .ok_or_else(|| "not a power of two from 16 to 1024".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn device_options_may_stand_before_and_after_the_command() {
        for line in [
            "updater --device coap://a --cred c --peer p push x.suit --block-size 64",
            "updater push x.suit --block-size 64 --device coap://a --cred c --peer p",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.link.device.is_some() && cli.link.peer.is_some());
            assert_eq!(cli.link.block_size.bytes(), 64);
        }
    }

    #[test]
    fn numbers_out_of_range_are_wrong_usage() {
        for line in [
            "updater discover --block-size 100",
            "updater discover --block-size 2048",
            "updater discover --ack-timeout 0",
            "updater discover --ack-timeout nan",
            "updater discover --retries 13",
            "updater call HEAD /vm1",
            "updater discover --device http://a",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
