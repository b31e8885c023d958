//! The Echo option (RFC 9175, 2): is somebody reachable at this address, and is
//! this request new?

use super::{Server, SessionId};
use crate::Error;
use core::hash::{Hash, Hasher};
use core::net::SocketAddr;
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher;

/// Length of the Echo values of this server, in bytes.
pub const ECHO: usize = 8;

/// How long an Echo value for an address is good for: at least this, at most
/// twice as long.
const COOKIE_MS: u64 = 60_000;
/// How long the same challenge is given out in a session.
const CHALLENGE_MS: u64 = 60_000;

/// Echo values that prove an address and need no memory: a hash, with a secret, of
/// the address and of the time in steps of [`COOKIE_MS`].
#[derive(Debug)]
pub(super) struct Cookies {
    secret: [u8; 32],
    /// For fingerprints, and where message IDs start.
    hasher: SipHasher,
}

impl Cookies {
    pub(super) fn new(rng: &mut impl CryptoRngCore) -> Self {
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        let mut key = [0; 16];
        rng.fill_bytes(&mut key);
        Self {
            secret,
            hasher: SipHasher::new_with_key(&key),
        }
    }

    /// What a datagram is known by when it comes again: SipHash-2-4, under a key
    /// that nobody knows. Nobody can make two datagrams that have the same, which is
    /// all that it has to do, for a fraction of what SHA-256 takes.
    pub(super) fn fingerprint(&self, datagram: &[u8]) -> u64 {
        self.hasher.hash(datagram)
    }

    /// Where the message IDs start that this address is sent.
    pub(super) fn first_mid(&self, to: &SocketAddr) -> u16 {
        let mut hasher = self.hasher;
        to.hash(&mut hasher);
        let [.., high, low] = hasher.finish().to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    /// The value for this address now.
    pub(super) fn value(&self, now_ms: u64, from: &SocketAddr) -> [u8; ECHO] {
        self.at(step(now_ms), from)
    }

    /// Whether this is the value for the address of now or of the step before.
    pub(super) fn check(&self, now_ms: u64, from: &SocketAddr, echo: &[u8]) -> bool {
        let now = step(now_ms);
        [Some(now), now.checked_sub(1)]
            .into_iter()
            .flatten()
            .any(|step| self.at(step, from) == *echo)
    }

    fn at(&self, step: u64, from: &SocketAddr) -> [u8; ECHO] {
        let mut hash = Sha256::new_with_prefix(self.secret);
        hash.update(step.to_be_bytes());
        hash.update(from.port().to_be_bytes());
        match from.ip() {
            core::net::IpAddr::V4(ip) => hash.update(ip.octets()),
            core::net::IpAddr::V6(ip) => hash.update(ip.octets()),
        }
        let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = hash.finalize().into();
        [a, b, c, d, e, f, g, h]
    }
}

fn step(now_ms: u64) -> u64 {
    now_ms / COOKIE_MS
}

/// An Echo value that was given out in a session, and when.
#[derive(Debug)]
pub(super) struct Challenge {
    value: [u8; ECHO],
    since_ms: u64,
}

/// After which times the requests of a session were made, as far as that is proven.
#[derive(Debug)]
pub(super) struct Proofs {
    /// All of them: after the key exchange.
    all_ms: u64,
    /// Those from this sequence number on: after the latest challenge that came
    /// back. It is the lowest number that came back with it. A sender takes numbers
    /// in their order; what has a lower one may have been made before, and held back.
    from: u64,
    latest_ms: u64,
}

impl Proofs {
    /// Of a key exchange at this time.
    pub(super) const fn new(exchange_ms: u64) -> Self {
        Self {
            all_ms: exchange_ms,
            from: 0,
            latest_ms: exchange_ms,
        }
    }
}

impl<const SESSIONS: usize, const PENDING: usize, const PEERS: usize, const REPLIES: usize>
    Server<SESSIONS, PENDING, PEERS, REPLIES>
{
    /// An Echo value for this session, to be sent with a protected 4.01. A request
    /// that brings it back was made after now.
    ///
    /// # Errors
    /// [`Error::SessionGone`].
    pub fn challenge(
        &mut self,
        now_ms: u64,
        session: SessionId,
        rng: &mut impl CryptoRngCore,
    ) -> Result<[u8; ECHO], Error> {
        let session = self
            .sessions
            .find(|known| known.id == session)
            .ok_or(Error::SessionGone)?;
        // Several requests on their way get the same one, and all succeed with it.
        if let Some(challenge) = &session.challenge
            && now_ms.saturating_sub(challenge.since_ms) < CHALLENGE_MS
        {
            return Ok(challenge.value);
        }
        let mut value = [0; ECHO];
        rng.fill_bytes(&mut value);
        session.challenge = Some(Challenge {
            value,
            since_ms: now_ms,
        });
        Ok(value)
    }
}

impl super::Session {
    /// After which time an authentic request was made, by its sequence number and
    /// Echo option. Takes note of the latter.
    pub(super) fn proven_ms(&mut self, number: u64, echo: Option<&[u8]>) -> u64 {
        let proofs = &mut self.proofs;
        if let Some(challenge) = &self.challenge
            && echo == Some(challenge.value.as_slice())
        {
            if challenge.since_ms > proofs.latest_ms {
                proofs.latest_ms = challenge.since_ms;
                proofs.from = number;
            }
            // Of several requests with the same value, a later one may come first.
            proofs.from = proofs.from.min(number);
        }
        if number >= proofs.from {
            proofs.latest_ms
        } else {
            proofs.all_ms
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_cookie_is_good_for_its_address_and_a_minute_or_two() {
        let cookies = Cookies {
            secret: [7; 32],
            hasher: SipHasher::new(),
        };
        let here = address("192.0.2.1:5683");
        let value = cookies.value(COOKIE_MS, &here);
        assert!(cookies.check(COOKIE_MS, &here, &value));
        assert!(cookies.check(2 * COOKIE_MS, &here, &value));
        assert!(cookies.check(3 * COOKIE_MS - 1, &here, &value));
        assert!(!cookies.check(3 * COOKIE_MS, &here, &value));
        assert!(!cookies.check(0, &here, &value));
        for elsewhere in ["192.0.2.1:5684", "192.0.2.2:5683", "[2001:db8::1]:5683"] {
            assert!(!cookies.check(COOKIE_MS, &address(elsewhere), &value));
        }
        for not_it in [&[][..], &value[..7], &[0; ECHO]] {
            assert!(!cookies.check(COOKIE_MS, &here, not_it));
        }
        let other = Cookies {
            secret: [8; 32],
            hasher: SipHasher::new(),
        };
        assert!(!other.check(COOKIE_MS, &here, &value));
    }
}
