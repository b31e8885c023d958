//! The `updater` program: see `updater --help`.

mod cli;

use std::fs;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use indicatif::{ProgressBar, ProgressStyle};
use sealift_manifest::TRUST;
use sealift_provision::{Keys, Provision, files};
use updater::{
    Client, Code, Config, Error, Event, Flow, Outcome, Package, Params, Request, Response,
    code_name, is_success, keys, printable, show,
};

use crate::cli::{Cli, Command, LinkArgs, ProvisionArgs, PushArgs};

fn main() -> ExitCode {
    let cli = Cli::parse();
    check_usage(&cli);
    log_to_stderr(cli.verbose);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done where stderr is closed.
            let _ = writeln!(stderr(), "{}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, each said once.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.ends_with(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// What clap cannot express: options that all commands but two need.
fn check_usage(cli: &Cli) {
    let link = &cli.link;
    let missing = [
        (link.device.is_none(), "--device coap://HOST:PORT"),
        (link.cred.is_none(), "--cred FILE"),
        (link.peer.is_none(), "--peer FILE"),
    ]
    .into_iter()
    .find_map(|(missing, what)| missing.then_some(what));
    if let Some(what) = missing
        && !matches!(cli.command, Command::Keygen { .. } | Command::Provision(_))
    {
        Cli::command()
            .error(
                ErrorKind::MissingRequiredArgument,
                format!("this command needs {what}"),
            )
            .exit();
    }
}

fn run(cli: Cli) -> Result<()> {
    let link = &cli.link;
    match cli.command {
        Command::Keygen { out, name } => keygen(&out, name.as_deref()),
        Command::Provision(args) => provision(&args),
        Command::Discover => {
            for line in connect(link, 0)?.discover()? {
                say(&printable(line.as_bytes()))?;
            }
            Ok(())
        }
        Command::Status { vm, json } => status(&mut connect(link, 0)?, vm.as_deref(), json),
        Command::Push(args) => push(link, &args),
        Command::Confirm { vm } => {
            let status = connect(link, 0)?.confirm(&vm)?;
            say(&status.map_or(format!("{vm}: confirmed"), |s| show::summary(&s)))
        }
        Command::Rollback { vm } => {
            let status = connect(link, 0)?.rollback(&vm)?;
            say(&status.map_or(format!("{vm}: rolled back"), |s| show::summary(&s)))
        }
        Command::Remove { vm } => {
            connect(link, 0)?.remove(&vm)?;
            say(&format!("{vm}: removed"))
        }
        Command::Call {
            method,
            path,
            payload,
            content_format,
        } => {
            let mut request = Request::new(method, &path).with_payload(body(payload.as_deref())?);
            request.content_format = content_format;
            answer(&connect(link, 0)?.request(&request)?)
        }
        Command::Run { envelope, input } => {
            let bytes = read(&envelope)?;
            updater::check_integrated(&bytes).with_context(|| envelope.display().to_string())?;
            let input = body(input.as_deref())?;
            show_payload(&connect(link, 0)?.run(&bytes, &input)?)
        }
    }
}

fn keygen(out: &Path, name: Option<&str>) -> Result<()> {
    let made = keys::generate(out, name)?;
    say(&format!(
        "{}: the credential, keep it secret\n{}: its public part, for devices (--allow ROLE={})",
        out.display(),
        made.public.display(),
        made.public.display(),
    ))
}

fn provision(args: &ProvisionArgs) -> Result<()> {
    let translators = Keys {
        threshold: args.threshold,
        ..files::keys(&args.trust)?.into()
    };
    let provision = Provision {
        trust: files::trust(translators, &args.allow)?,
        root: Keys::roots(files::keys(&args.root)?, args.root_threshold),
    };
    let record = provision.encode()?;
    keys::write_new(&args.out, 0o644, &record)?;
    say(&format!(
        "{}: {} translator keys, {} root keys, {} peers, {} bytes",
        args.out.display(),
        provision.trust.translators.keys.len(),
        provision.root.keys.len(),
        provision.trust.peers.len(),
        record.len()
    ))
}

fn connect(link: &LinkArgs, resume_tries: u32) -> Result<Client> {
    let (Some(device), Some(cred), Some(peer)) = (&link.device, &link.cred, &link.peer) else {
        anyhow::bail!("--device, --cred and --peer are needed");
    };
    let identity = keys::load_identity(cred)?;
    let peer = keys::load_credential(peer)?;
    let config = Config {
        params: Params {
            ack_timeout: link.ack_timeout,
            max_retransmit: link.retries,
            adaptive: true,
        },
        block_size: link.block_size,
        resume_tries,
    };
    Ok(Client::connect(device, identity, peer, config)?)
}

/// As [`connect`], and again so often where the link fails.
fn connect_again(link: &LinkArgs, tries: u32) -> Result<Client> {
    let mut left = tries;
    loop {
        let error = match connect(link, tries) {
            Err(error) => error,
            client => return client,
        };
        let link_failed = error
            .downcast_ref::<Error>()
            .is_some_and(Error::is_link_failure);
        if left == 0 || !link_failed {
            return Err(error);
        }
        left -= 1;
        log::warn!("{error}; trying again, {left} more tries after this");
    }
}

fn status(client: &mut Client, vm: Option<&str>, json: bool) -> Result<()> {
    let text = match (vm, json) {
        (Some(vm), true) => show::component_json(&client.component_status(vm)?)?,
        (Some(vm), false) => show::table(&[client.component_status(vm)?]),
        (None, true) => show::device_json(&client.device_status()?)?,
        (None, false) => {
            let status = client.device_status()?;
            let table = show::table(&status.components);
            match status.trust {
                None => table,
                Some(0) => format!("{table}trust: as provisioned\n"),
                Some(number) => format!("{table}trust: record {number}\n"),
            }
        }
    };
    say(text.trim_end())
}

fn push(link: &LinkArgs, args: &PushArgs) -> Result<()> {
    let envelope = read(&args.envelope)?;
    let package = Package::new(envelope, || match &args.payload {
        Some(path) => read(path).map(Some),
        None => read(&beside(&args.envelope))
            .map(Some)
            .context("the payload is detached; name it with --payload"),
    })
    .with_context(|| args.envelope.display().to_string())?;
    if package.is_integrated() && args.payload.is_some() {
        anyhow::bail!(
            "{} has its payload inside: --payload is for detached ones",
            args.envelope.display()
        );
    }
    for warning in package.warnings() {
        log::warn!("{}: {warning}", args.envelope.display());
    }

    let mut client = connect_again(link, args.resume_tries)?;
    let total = u64::try_from(package.payload().len())?;
    let bar = progress_bar(total);
    let pushed = client.push(&package, &mut |event| match event {
        Event::Resuming { at, total } => {
            // The bar is drawn on stderr and would be torn by this line.
            bar.suspend(|| say(&format!("resuming at {at} of {total} bytes")).ok());
            bar.set_position(at);
            Flow::Continue
        }
        Event::Progress { position, sent, .. } => {
            bar.set_position(position);
            match args.stop_after {
                Some(limit) if sent >= limit => Flow::Stop,
                _ => Flow::Continue,
            }
        }
        Event::Retrying { error, left } => {
            bar.suspend(|| log::warn!("{error}; trying again, {left} more tries after this"));
            Flow::Continue
        }
        _ => Flow::Continue,
    });
    bar.finish_and_clear();
    let pushed = pushed?;
    let traffic = client.traffic();
    log::info!(
        "{} datagrams with {} bytes sent, {} with {} received",
        traffic.sent,
        traffic.sent_bytes,
        traffic.received,
        traffic.received_bytes
    );
    let vm = package.component();
    match pushed.outcome {
        Outcome::AlreadyInstalled => say("already installed, nothing to do"),
        Outcome::Activated(status) => {
            say(&format!("sent {} of {total} payload bytes", pushed.sent))?;
            let sequence = package.sequence();
            if vm == TRUST {
                return say(&format!("trust record {sequence} is in force"));
            }
            say(
                &status.map_or(format!("{vm}: sequence {sequence}, trial"), |s| {
                    show::summary(&s)
                }),
            )?;
            say(&format!("to keep it: confirm {vm}"))
        }
    }
}

/// `hello.suit` and `hello.suit.payload`.
fn beside(envelope: &Path) -> PathBuf {
    let mut name = envelope.as_os_str().to_owned();
    name.push(".payload");
    PathBuf::from(name)
}

fn progress_bar(total: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

/// Prints what a resource answered. An answer with an error code is an error;
/// its body is printed all the same where it is more than a diagnostic text.
fn answer(response: &Response) -> Result<()> {
    if is_success(response.code) {
        let _ = writeln!(stderr(), "{}", with_name(response.code));
        return show_payload(&response.payload);
    }
    if response.content_format.is_none() {
        return Err(response.refusal().into());
    }
    show_payload(&response.payload)?;
    Err(Error::Refused {
        code: response.code,
        text: String::new(),
        advice: response.advice,
    }
    .into())
}

fn with_name(code: Code) -> String {
    format!("{code} {}", code_name(code)).trim_end().to_owned()
}

/// Raw bytes into a pipe; on a terminal text, or else hexadecimal.
fn show_payload(payload: &[u8]) -> Result<()> {
    let mut out = stdout();
    if !out.is_terminal() {
        out.write_all(payload)?;
        return Ok(out.flush()?);
    }
    match payload {
        [] => Ok(()),
        _ => say(&show::body(payload)),
    }
}

fn body(given: Option<&str>) -> Result<Vec<u8>> {
    match given {
        None => Ok(Vec::new()),
        Some(text) => match text.strip_prefix('@') {
            Some(file) => read(Path::new(file)),
            None => Ok(text.as_bytes().to_vec()),
        },
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

fn say(text: &str) -> Result<()> {
    let mut out = stdout();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => log::LevelFilter::Warn,
        1 => log::LevelFilter::Info,
        2 => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    };
    env_logger::Builder::new()
        .filter_level(level)
        .parse_default_env()
        .format_timestamp(None)
        .format_target(false)
        .init();
}
