//! What the operator wants, and what the device must have said when it was done.

use std::sync::OnceLock;

use sealift_manifest::build_envelope;
use sealift_oscore::coap::Code;
use updater::{Client, Error, Event, Flow, Method, Outcome, Package, Request};

use super::device::Far;
use super::heard::Heard;
use super::model::COMPONENT;
use super::{SMALL, WISH};
use crate::promise::{fake_key, spec};

/// Something that an operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A capsule is to be installed; perhaps it is interrupted, and taken up again.
    Push {
        detached: bool,
        stops: bool,
    },
    /// What the device says of itself.
    Device,
    /// What it says of a component.
    Component,
    Confirm,
    Rollback,
    Remove,
    Discover,
    /// A request to a capsule, with a body of so many bytes.
    Call(Method, &'static str, usize),
    /// A job is to be run.
    Run,
}

impl Wish {
    pub(super) fn of(number: u8) -> Self {
        let push = |detached, stops| Self::Push { detached, stops };
        match number {
            0 => push(false, false),
            1 => push(true, false),
            2 => push(false, true),
            3 => push(true, true),
            4 => Self::Device,
            5 => Self::Component,
            6 => Self::Confirm,
            7 => Self::Rollback,
            8 => Self::Remove,
            9 => Self::Discover,
            10 => Self::Call(Method::Get, "page", 0),
            11 => Self::Call(Method::Post, "echo", 300),
            12 => Self::Call(Method::Put, "other", 1500),
            13 => Self::Call(Method::Post, "count", 0),
            14 => Self::Call(Method::Fetch, "echo", 40),
            _ => Self::Run,
        }
    }

    /// Does it. Where the client says that it was done, the device has to have said
    /// so, in authentic answers to these very requests.
    pub(super) fn fulfil(
        self,
        client: &mut Client<Far>,
        far: &Far,
        small: bool,
    ) -> Result<(), Error> {
        let component = ["vm-control", COMPONENT];
        match self {
            Self::Push { detached, stops } => push(client, far, package(detached, small), stops)?,
            Self::Device => {
                let status = client.device_status()?;
                let said = |body: &[u8]| {
                    sealift_wire::DeviceStatus::from_cbor(body).as_ref() == Ok(&status)
                };
                assert!(far.heard().answered(Code::GET, &component[..1], said));
            }
            Self::Component => {
                let status = client.component_status(COMPONENT)?;
                let said = |body: &[u8]| {
                    sealift_wire::ComponentStatus::from_cbor(body).as_ref() == Ok(&status)
                };
                assert!(far.heard().answered(Code::GET, &component, said));
            }
            Self::Confirm => {
                client.confirm(COMPONENT)?;
                far.heard()
                    .agreed(Code::POST, &["vm-control", COMPONENT, "confirm"]);
            }
            Self::Rollback => {
                client.rollback(COMPONENT)?;
                far.heard()
                    .agreed(Code::POST, &["vm-control", COMPONENT, "rollback"]);
            }
            Self::Remove => {
                client.remove(COMPONENT)?;
                far.heard().agreed(Code::DELETE, &component);
            }
            Self::Discover => {
                let links = client.discover()?.join(",");
                let said = |body: &[u8]| {
                    // A comma at the end separates nothing.
                    body.strip_suffix(b",").unwrap_or(body) == links.as_bytes()
                        || body == links.as_bytes()
                };
                assert!(
                    far.heard()
                        .answered(Code::GET, &[".well-known", "core"], said)
                );
            }
            Self::Call(method, resource, length) => {
                let path = format!("/{COMPONENT}/{resource}");
                let request = Request::new(method, &path).with_payload(vec![b'b'; length]);
                let response = client.request(&request)?;
                let heard = far.heard();
                let last = heard.last_code().expect("an answer");
                assert_eq!(response.code, last, "another code");
                if response.code.class() == 2 {
                    let said = |body: &[u8]| body == response.payload;
                    let path = [COMPONENT, resource];
                    assert!(heard.answered(method.code(), &path, said));
                    heard.took(method.code(), &path, length);
                }
            }
            Self::Run => {
                let job = package(false, small);
                let output = client.run(job.envelope(), b"input")?;
                let heard = far.heard();
                assert!(heard.answered(Code::POST, &["vm-run"], |body| body == output));
                heard.took(Code::POST, &["vm-run"], job.envelope().len() + 5);
            }
        }
        Ok(())
    }
}

fn push(
    client: &mut Client<Far>,
    far: &Far,
    package: &Package,
    mut stops: bool,
) -> Result<(), Error> {
    let total = package.payload().len() as u64;
    let mut half = |event: Event<'_>| match event {
        Event::Progress {
            position, total, ..
        } if stops && position * 2 >= total => {
            stops = false;
            Flow::Stop
        }
        Event::Progress {
            position,
            total: of,
            ..
        } => {
            assert!(position <= of && of == total, "{position} of {of}");
            Flow::Continue
        }
        _ => Flow::Continue,
    };
    let pushed = match client.push(package, &mut half) {
        Err(Error::Stopped { .. }) => client.push(package, &mut half)?,
        other => other?,
    };
    let heard = far.heard();
    match pushed.outcome {
        Outcome::Activated(_) => installed(&heard, package),
        Outcome::AlreadyInstalled => {
            assert_eq!(heard.last_code(), Some(Code::VALID), "it is not there");
            assert!(heard.last().is_some_and(|last| last.code == Code::PUT));
        }
    }
    Ok(())
}

/// What the device must have said of a capsule that is installed: that it took the
/// last byte, and that it had every other one.
fn installed(heard: &Heard, package: &Package) {
    let whole = ["vm-control", COMPONENT];
    let payload = ["vm-control", COMPONENT, "payload"];
    let (length, head) = (package.payload().len(), package.head_len());
    let last = heard.last().expect("a request");
    if last.code == Code::GET {
        // An earlier try has sent everything, and this one found it active.
        assert!(heard.said(Code::PUT, Code::VALID), "it is not active");
        let sent = heard.sent(&whole, head).chain(heard.sent(&payload, 0));
        assert!(sent.max() >= Some(length), "it never had everything");
        return;
    }
    let code = heard.last_code().expect("an answer");
    assert_eq!(last.code, Code::PUT);
    assert!(
        code.class() == 2 && code != Code::CONTINUE && code != Code::VALID,
        "{code}"
    );
    let mut has = vec![false; length];
    let offset = if package.is_integrated() {
        head
    } else {
        usize::MAX
    };
    for range in heard
        .taken(&whole, offset)
        .chain(heard.taken(&payload, 0))
        .chain(heard.received(package.digest()))
    {
        let end = range.end.min(length);
        has.get_mut(range.start.min(end)..end)
            .expect("in the payload")
            .fill(true);
    }
    assert!(has.iter().all(|has| *has), "the device never had all of it");
}

/// The capsule that is pushed in a script with these flags, or would be.
pub(super) fn package_of(flags: u8) -> &'static Package {
    let detached = matches!(Wish::of(flags & WISH), Wish::Push { detached: true, .. });
    package(detached, flags & SMALL != 0)
}

/// A capsule, which is longer than some blocks of the size that is used.
fn package(detached: bool, small: bool) -> &'static Package {
    static PACKAGES: OnceLock<[Package; 4]> = OnceLock::new();
    let make = |detached: bool, length: usize| {
        let payload: Vec<u8> = (0..length).map(|at| (at * 7) as u8).collect();
        let spec = spec(COMPONENT, 7, &payload);
        let inside = (!detached).then_some(&payload[..]);
        let envelope = build_envelope(&spec, &[&fake_key()], inside, None).expect("builds");
        Package::new::<Error>(envelope, || Ok(Some(payload.clone()))).expect("is one")
    };
    let packages = PACKAGES.get_or_init(|| {
        [
            make(false, 5000),
            make(false, 600),
            make(true, 5000),
            make(true, 600),
        ]
    });
    let which = usize::from(detached) * 2 + usize::from(small);
    packages.get(which).expect("one of them")
}
