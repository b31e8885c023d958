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
    /// that ships. In a key exchange the server chooses an identifier that nobody
    /// has; here, who has the one that is given loses it.
    pub fn preset(&mut self, now_ms: u64, peer: PeerIndex, context: SecurityContext) -> SessionId {
        // A datagram would have come with it: no two sessions are of one age.
        self.tick = self.tick.saturating_add(1);
        let id = context.recipient_id();
        self.sessions
            .retain(|session| session.context.recipient_id() != id);
        self.pending
            .retain(|half| half.responder.c_r().as_slice() != id);
        let finished = Finished {
            peer,
            context,
            since_ms: now_ms,
        };
        self.establish(now_ms, finished)
    }
}
