//! Sessions without a key exchange, for fuzzing and measuring (feature `preset`):
//! a key exchange for each input would take nearly all of the time.

use super::handshake::Finished;
use super::{PeerIndex, Server, SessionId};
use crate::context::SecurityContext;

impl<const SESSIONS: usize, const PENDING: usize, const PEERS: usize, const REPLIES: usize>
    Server<SESSIONS, PENDING, PEERS, REPLIES>
{
    /// Adds a session with this peer, as a key exchange does that is finished
    /// now. A context that was used before would repeat nonces: not for anything
    /// that ships.
    pub fn preset(&mut self, now_ms: u64, peer: PeerIndex, context: SecurityContext) -> SessionId {
        let finished = Finished {
            peer,
            context,
            since_ms: now_ms,
        };
        self.establish(now_ms, finished)
    }
}
