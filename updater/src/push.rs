//! Installing a capsule: the envelope, then the payload, from wherever an
//! earlier push stopped.

use sealift_wire::{ComponentStatus, PAYLOAD, Transfer};

use crate::blocks::Upload;
use crate::client::{BlockSent, Body, Client, Sent, control};
use crate::error::Error;
use crate::package::Package;
use crate::request::{Code, Method, is_success};
use crate::transport::Transport;

/// What happens during a push.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The device has a part of the payload already.
    Resuming {
        /// Bytes that it has.
        at: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The device took a block.
    Progress {
        /// Payload bytes that it has now.
        position: u64,
        /// Payload bytes in all.
        total: u64,
        /// Payload bytes that this push has sent, as [`Pushed::sent`].
        sent: u64,
    },
    /// The transfer failed and is tried again.
    Retrying {
        /// Why.
        error: &'a Error,
        /// Tries that are left after this one, should it not get any further.
        left: u32,
    },
}

/// Whether to go on with a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// End here, with [`Error::Stopped`]; the transfer stays open.
    Stop,
}

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// How it ended.
    pub outcome: Outcome,
    /// Payload bytes sent, what had to be sent again over a new security context
    /// or after a restart included; retransmissions of a message are not, those
    /// are in [`Client::traffic`].
    pub sent: u64,
}

/// How a push ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The capsule runs as a trial; with the status, where the device gave it.
    Activated(Option<Box<ComponentStatus>>),
    /// The same envelope was active before; nothing was changed.
    AlreadyInstalled,
}

/// Payload bytes over all tries.
#[derive(Default)]
struct Count {
    sent: u64,
    /// How far the device has ever got.
    furthest: u64,
    /// Whether the last block was sent, in this try and in an earlier one.
    complete: bool,
    complete_before: bool,
}

impl<T: Transport> Client<T> {
    /// Installs a capsule. Goes on with an open transfer of the same envelope, and
    /// does so when the link or the device fails meanwhile, until that has failed
    /// [`Config::resume_tries`](crate::Config) times without getting further.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] where the device does not take it, and link failures
    /// when the tries are used up. The transfer then stays open on the device.
    pub fn push(
        &mut self,
        package: &Package,
        observe: &mut dyn FnMut(Event<'_>) -> Flow,
    ) -> Result<Pushed, Error> {
        let mut count = Count::default();
        let mut left = self.config.resume_tries;
        let mut connected = true;
        loop {
            let before = count.furthest;
            count.complete_before = count.complete;
            let attempt = if connected { Ok(()) } else { self.reconnect() };
            let error = match attempt.and_then(|()| self.push_once(package, &mut count, observe)) {
                Ok(outcome) => {
                    return Ok(Pushed {
                        outcome,
                        sent: count.sent,
                    });
                }
                Err(error) => error,
            };
            let link_failed = error.is_link_failure();
            if count.furthest > before {
                left = self.config.resume_tries;
            }
            if left == 0 || !(link_failed || lost_its_place(&error)) {
                return Err(error);
            }
            left -= 1;
            connected = !link_failed;
            let event = Event::Retrying {
                error: &error,
                left,
            };
            if observe(event) == Flow::Stop {
                return Err(Error::Stopped { sent: count.sent });
            }
        }
    }

    fn push_once(
        &mut self,
        package: &Package,
        count: &mut Count,
        observe: &mut dyn FnMut(Event<'_>) -> Flow,
    ) -> Result<Outcome, Error> {
        let status = self.component_status(package.component())?;
        if let Some(open) = open_transfer(&status, package)
            && (open.received > 0 || !package.is_integrated())
        {
            return self.push_payload(package, open, count, observe);
        }
        let integrated = package.is_integrated();
        let mut request = control(Method::Put, &[package.component()]);
        request.payload = package.envelope().to_vec();
        let upload = Upload::new(request.payload.len(), self.config.block_size);
        let head = package.head_len();
        let total = package.payload().len();
        let sent = self.send_blocks(&request, upload, Body::Envelope, &mut |block| {
            let from = block.range.start.max(head);
            let bytes = block.range.end.saturating_sub(from);
            let position = block.range.end.saturating_sub(head);
            if !integrated || bytes == 0 {
                return Ok(());
            }
            count.note(&block, bytes, position, total, observe)
        })?;
        if sent.response.code == Code::VALID {
            return self.already(package, count);
        }
        if integrated {
            return finished(sent);
        }
        if !is_success(sent.response.code) {
            return Err(sent.response.refusal());
        }
        let status = self.component_status(package.component())?;
        let open = open_transfer(&status, package).ok_or(Error::Protocol(
            "it took the envelope and opened no transfer for it",
        ))?;
        self.push_payload(package, open, count, observe)
    }

    /// Sends the payload from where the open transfer stands.
    fn push_payload(
        &mut self,
        package: &Package,
        open: &Transfer,
        count: &mut Count,
        observe: &mut dyn FnMut(Event<'_>) -> Flow,
    ) -> Result<Outcome, Error> {
        let total = package.payload().len();
        if open.received > 0 {
            let event = Event::Resuming {
                at: u64::from(open.received),
                total: length(total),
            };
            if observe(event) == Flow::Stop {
                return Err(Error::Stopped { sent: count.sent });
            }
        }
        let received = usize::try_from(open.received).unwrap_or(usize::MAX);
        let upload = Upload::resume(total, received, self.config.block_size);
        let mut request = control(Method::Put, &[package.component(), PAYLOAD]);
        request.payload = package.payload().to_vec();
        let sent = self.send_blocks(&request, upload, Body::Payload, &mut |block| {
            let bytes = block.range.len();
            count.note(&block, bytes, block.range.end, total, observe)
        })?;
        if sent.response.code == Code::VALID {
            return self.already(package, count);
        }
        finished(sent)
    }

    /// The capsule is active. If an earlier try has sent all of it, that is its
    /// work, and only the answer was lost.
    fn already(&mut self, package: &Package, count: &Count) -> Result<Outcome, Error> {
        if count.complete_before {
            let status = self.component_status(package.component())?;
            return Ok(Outcome::Activated(Some(Box::new(status))));
        }
        Ok(Outcome::AlreadyInstalled)
    }
}

impl Count {
    fn note(
        &mut self,
        block: &BlockSent,
        bytes: usize,
        position: usize,
        total: usize,
        observe: &mut dyn FnMut(Event<'_>) -> Flow,
    ) -> Result<(), Error> {
        let sent = length(bytes).saturating_mul(u64::from(block.times));
        self.sent = self.sent.saturating_add(sent);
        self.complete |= position >= total;
        if !block.taken {
            return Ok(());
        }
        let position = length(position);
        self.furthest = self.furthest.max(position);
        let flow = observe(Event::Progress {
            position,
            total: length(total),
            sent: self.sent,
        });
        // What is finished cannot be stopped any more.
        if flow == Flow::Stop && !block.last {
            return Err(Error::Stopped { sent: self.sent });
        }
        Ok(())
    }
}

/// The open transfer of this very envelope.
fn open_transfer<'a>(status: &'a ComponentStatus, package: &Package) -> Option<&'a Transfer> {
    status
        .transfer
        .as_ref()
        .filter(|open| open.digest == package.digest())
}

/// The device's last word on the payload.
fn finished(sent: Sent) -> Result<Outcome, Error> {
    let Sent { response, complete } = sent;
    if !is_success(response.code) {
        return Err(response.refusal());
    }
    if !complete {
        return Err(Error::Protocol("it is done before it had everything"));
    }
    Ok(Outcome::Activated(
        ComponentStatus::from_cbor(&response.payload)
            .ok()
            .map(Box::new),
    ))
}

/// 4.08: the device has less, or more, than we thought. Its status tells where to
/// go on.
fn lost_its_place(error: &Error) -> bool {
    matches!(error, Error::Refused { code, .. } if *code == Code::INCOMPLETE)
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
