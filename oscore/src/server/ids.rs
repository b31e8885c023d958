//! Message IDs of messages that are no acknowledgements (RFC 7252, 4.4).

use super::freshness::Cookies;
use core::net::SocketAddr;

/// Counts of messages. What is counted is added to a start that each address has of its
/// own and nobody can compute ([`Cookies::first_mid`]): who is sent some IDs learns
/// nothing of those that others are sent, and cannot acknowledge in their place.
///
/// No address sees an ID twice within 32,768 messages of a kind. Anybody can make the
/// server send messages that are not confirmable; they have the odd numbers to
/// themselves, so that they use up none of the others.
#[derive(Debug, Default)]
pub(super) struct MessageIds {
    confirmable: u16,
    others: u16,
}

impl MessageIds {
    /// Counts that begin anywhere.
    pub(super) const fn starting_at(random: u32) -> Self {
        let [a, b, c, d] = random.to_be_bytes();
        Self {
            confirmable: u16::from_be_bytes([a, b]) & !1,
            others: u16::from_be_bytes([c, d]) | 1,
        }
    }

    /// For a message that is to be acknowledged.
    pub(super) fn confirmable(&mut self, cookies: Option<&Cookies>, to: &SocketAddr) -> u16 {
        self.confirmable = self.confirmable.wrapping_add(2);
        self.confirmable.wrapping_add(start(cookies, to))
    }

    /// For any other one.
    pub(super) fn other(&mut self, cookies: Option<&Cookies>, to: &SocketAddr) -> u16 {
        self.others = self.others.wrapping_add(2);
        self.others.wrapping_add(start(cookies, to))
    }
}

fn start(cookies: Option<&Cookies>, to: &SocketAddr) -> u16 {
    cookies.map_or(0, |cookies| cookies.first_mid(to))
}
