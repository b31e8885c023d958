//! Which session sends which payload.
//!
//! A block of a detached payload does not say which payload it is of. Should
//! another deployer have opened another transfer meanwhile, the blocks that
//! still come for the one before must not end up in the new one.

use alloc::vec::Vec;

use sealift_oscore::server::SessionId;
use sealift_wire::Refusal;

/// Sessions that are remembered; beyond that, the oldest is forgotten.
const MAX: usize = 8;

/// What each session sends.
#[derive(Debug, Default)]
pub(crate) struct Streams(Vec<Stream>);

#[derive(Debug)]
struct Stream {
    session: SessionId,
    vm: usize,
    digest: [u8; 32],
}

impl Streams {
    /// Refuses, once, a session that was sending for another transfer of `vm`
    /// than the one that is open now, which is that of `digest`. Whoever is
    /// new may go on with what is open.
    pub(crate) fn belongs(
        &mut self,
        session: SessionId,
        vm: usize,
        digest: [u8; 32],
    ) -> Result<(), Refusal> {
        let mut known = self.0.iter();
        match known.find(|stream| stream.session == session && stream.vm == vm) {
            Some(stream) if stream.digest == digest => Ok(()),
            Some(_) => {
                self.forget(session, vm);
                Err(Refusal::WrongOffset)
            }
            None => {
                if self.0.len() >= MAX {
                    self.0.remove(0);
                }
                self.0.push(Stream {
                    session,
                    vm,
                    digest,
                });
                Ok(())
            }
        }
    }

    /// The session is done with its transfer of `vm`.
    pub(crate) fn forget(&mut self, session: SessionId, vm: usize) {
        self.0
            .retain(|stream| stream.session != session || stream.vm != vm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_told_once_that_the_transfer_is_another_one() {
        let mut streams = Streams::default();
        let (a, b) = (SessionId(1), SessionId(2));
        assert_eq!(streams.belongs(a, 0, [1; 32]), Ok(()));
        assert_eq!(streams.belongs(b, 0, [2; 32]), Ok(()));
        assert_eq!(streams.belongs(a, 1, [2; 32]), Ok(()));
        assert_eq!(streams.belongs(a, 0, [2; 32]), Err(Refusal::WrongOffset));
        assert_eq!(streams.belongs(a, 0, [2; 32]), Ok(()));
        streams.forget(a, 0);
        assert_eq!(streams.belongs(a, 0, [3; 32]), Ok(()));
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut streams = Streams::default();
        for n in 0..100 {
            assert_eq!(streams.belongs(SessionId(n), 0, [0; 32]), Ok(()));
        }
        assert_eq!(streams.0.len(), MAX);
    }
}
