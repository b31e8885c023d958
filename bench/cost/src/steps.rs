//! What happens to a device, as a file: so that a replay contains nothing but the
//! device, and what is counted is the same each time.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};

use sealift_manifest::PublicKey;

use crate::unit::Unit;

/// Time between two steps, in milliseconds.
const BETWEEN: u64 = 10;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whether its cost counts.
    pub counted: bool,
    /// What it is.
    pub event: Event,
}

/// What happens to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It starts, and trusts these translators.
    Boot(Vec<PublicKey>),
    /// A datagram arrives.
    Datagram {
        /// The host number of its sender: peers have addresses of their own.
        host: u8,
        /// The datagram.
        bytes: Vec<u8>,
    },
}

/// A device that steps happen to.
pub trait Subject {
    /// Takes the step of this number; the datagram that the device sends.
    ///
    /// # Errors
    /// Where the device fails.
    fn act(&mut self, number: usize, event: &Event) -> Result<Vec<u8>>;

    /// How many instructions the last step took; 0 where nobody counts them.
    fn instructions(&self) -> u64 {
        0
    }
}

impl Subject for Unit {
    fn act(&mut self, number: usize, event: &Event) -> Result<Vec<u8>> {
        act(self, number, event)
    }
}

/// When the step of this number happens, in milliseconds.
#[must_use]
pub fn time(number: usize) -> u64 {
    1000 + number as u64 * BETWEEN
}

/// Takes the step of this number; the datagram that the device sends.
///
/// # Errors
/// Where the device fails.
pub fn act(unit: &mut Unit, number: usize, event: &Event) -> Result<Vec<u8>> {
    let now = time(number);
    match event {
        Event::Boot(trust) => unit.boot(now, trust).map(|()| Vec::new()),
        Event::Datagram { host, bytes } => unit.take(now, address(*host), bytes),
    }
}

/// Steps as bytes: for each whether it is counted; the number of a host, or 0 for a
/// start; a length in two bytes, lowest first; and the datagram, or the keys.
///
/// # Errors
/// Where a datagram is longer than any is.
pub fn encode(steps: &[Step]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for step in steps {
        let (host, content) = match &step.event {
            Event::Boot(trust) => {
                let keys = trust.iter().flat_map(PublicKey::to_bytes);
                (0, keys.collect())
            }
            Event::Datagram { host, bytes } => (*host, bytes.clone()),
        };
        bytes.extend([u8::from(step.counted), host]);
        bytes.extend(u16::try_from(content.len())?.to_le_bytes());
        bytes.extend(content);
    }
    Ok(bytes)
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// For anything else.
pub fn decode(mut bytes: &[u8]) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    while let [counted, host, low, high, rest @ ..] = bytes {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let (content, rest) = rest.split_at_checked(length).context("it is cut short")?;
        let event = match host {
            0 => {
                let (keys, _) = content.as_chunks();
                let keys = keys.iter().map(PublicKey::from_bytes);
                Event::Boot(keys.collect::<Result<_, _>>()?)
            }
            host => Event::Datagram {
                host: *host,
                bytes: content.to_vec(),
            },
        };
        steps.push(Step {
            counted: *counted == 1,
            event,
        });
        bytes = rest;
    }
    ensure!(bytes.is_empty(), "it is cut short");
    Ok(steps)
}

fn address(host: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, host), 5000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_as_they_were_written() {
        let datagram = |host, length| Step {
            counted: host == 2,
            event: Event::Datagram {
                host,
                bytes: vec![host; length],
            },
        };
        let boot = Step {
            counted: true,
            event: Event::Boot(Vec::new()),
        };
        let steps = [boot, datagram(1, 0), datagram(2, 1200)];
        let bytes = encode(&steps).expect("short");
        assert_eq!(decode(&bytes).expect("whole"), steps);
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
