//! The `signer` command.

mod cli;
mod passphrase;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// A line on standard error, where somebody may have stopped reading.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "signer: {}", signer::printable(text));
}
