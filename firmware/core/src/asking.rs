//! An authenticated request: what it gets, at once or later.

use alloc::vec::Vec;
use core::net::SocketAddr;

use embedded_storage::nor_flash::NorFlash;
use rand_core::CryptoRngCore;
use sealift_oscore::Credential;
use sealift_oscore::coap::number;
use sealift_oscore::server;
use sealift_wire::{Refusal, Roles};

use crate::capsule::Host;
use crate::claim::HELD_MS;
use crate::device::Device;
use crate::request::Request;
use crate::response::Response;
use crate::route::Operation;
use crate::sending::Answer;
use crate::service::Reply;
use crate::turns::Turn;
use crate::waiting::{Asked, Later, Waiting};

/// Turns that a capsule has at once for an answer that goes with the
/// acknowledgement, if no other one is at work; one that takes longer is sent by
/// itself (RFC 7252, 5.2.2).
const PROMPT: usize = 8;
/// How old a request may be that does something, in milliseconds. Where it is not proven
/// that it was made within that time, it is asked for again.
const FRESH_MS: u64 = 10 * 60 * 1000;

impl<F, R, H, const N: usize, const W: usize, const SESSIONS: usize> Device<F, R, H, N, W, SESSIONS>
where
    F: NorFlash,
    R: CryptoRngCore,
    H: Host,
{
    /// Does what an authenticated request asks for, or has it wait.
    pub(crate) fn request(&mut self, request: server::Request<'_>, out: &mut [u8]) -> usize {
        let server::Request {
            peer,
            session,
            inner,
            proven_ms,
            reply,
        } = request;
        let parsed = Request::parse(inner, session, self.service.vms.policy.roles(peer.0));
        let request = match parsed {
            Ok(request) => request,
            Err(refusal) => {
                let refused = Answer::whole(Response::refusal(refusal));
                return self
                    .respond(reply, &refused, out)
                    .map_or(0, |(_, length)| length);
            }
        };
        let mut asked = Asked::of(&request);
        let answer = match self.serve(&request, peer.0, proven_ms) {
            Ok(Reply::Later(later)) => return self.wait(asked, later, reply, out),
            Ok(Reply::Continue) => Answer::go_on(request.block1),
            Ok(Reply::Whole(response)) => self.answer(&asked, response),
            Err(refusal) => self.refused(&mut asked, &request, refusal),
        };
        self.respond(reply, &answer, out)
            .map_or(0, |(_, length)| length)
    }

    fn serve(
        &mut self,
        request: &Request<'_>,
        peer: usize,
        proven_ms: u64,
    ) -> Result<Reply, Refusal> {
        let later = request.block2.is_some_and(|block| block.num != 0);
        if later && let Some(response) = self.outbox.continued(&request.exchange()) {
            return Ok(Reply::Whole(response));
        }
        let operation = self.service.route(request)?;
        // A later block of what is not kept any more would do it again, for
        // an answer that may not be the same.
        if later && !operation.only_reads() {
            return Err(Refusal::BlockOutOfOrder);
        }
        let age = self.service.vms.now.saturating_sub(proven_ms);
        if age > FRESH_MS && operation.must_be_fresh(request) {
            return Err(Refusal::Stale);
        }
        // Before anything is done: what has no place to wait was not done.
        let calls = match operation {
            Operation::Capsule(vm) => Some(vm),
            _ => None,
        };
        let at_once = matches!(operation, Operation::Confirm(_) | Operation::Remove(_));
        let waits = !(at_once || operation.only_reads()) && request.is_last();
        if waits && !self.queue.has_room(request.session, calls) {
            return Err(Refusal::Busy);
        }
        let reply = self.service.serve(operation, request, peer);
        if core::mem::take(&mut self.service.vms.peers_changed) {
            self.renew_peers();
        }
        reply
    }

    /// Whom the device knows has changed: ends the sessions of those that it does
    /// not know any more, and forgets the calls of those that may make none.
    pub(crate) fn renew_peers(&mut self) {
        self.service.renew_peers();
        let policy = &self.service.vms.policy;
        let peers: Vec<Credential> = policy.credentials().cloned().collect();
        if let Err(error) = self.server.set_peers(&peers) {
            log::error!("{error}");
        }
        let server = &self.server;
        self.queue.forget(|session| {
            let mut sessions = server.sessions();
            let known = sessions.find(|(id, _)| *id == session);
            known.is_none_or(|(_, peer)| !policy.roles(peer.0).has(Roles::USE))
        });
    }

    /// Has a request wait for a capsule. If that is done with it at once, the
    /// answer is in `out`; otherwise an acknowledgement.
    fn wait(&mut self, asked: Asked, later: Later, reply: server::Reply, out: &mut [u8]) -> usize {
        let waiting = Waiting {
            asked,
            later,
            reply,
        };
        let worker = waiting.worker();
        let first = self.ready.is_empty() && !self.queue.waits_for(worker);
        self.queue.push(waiting);
        let turns = match first {
            // What comes of a turn would not be meant for this request.
            false => 0,
            // One turn ahead of the others: they have theirs before the next
            // datagram is taken.
            true if self.is_another_at_work(worker) => 1,
            true => PROMPT,
        };
        for _ in 0..turns {
            let turn = self.turn(worker);
            if let Some((_, length)) = self.send(out) {
                return length;
            }
            if matches!(turn, Turn::Idle | Turn::Waits(_)) {
                break;
            }
        }
        match self.queue.newest() {
            Some(waiting) if waiting.worker() == worker => {
                self.server.acknowledge(&mut waiting.reply, out)
            }
            _ => 0,
        }
    }

    /// What a refused request is told, and what its author needs to do better.
    fn refused(&mut self, asked: &mut Asked, request: &Request<'_>, refusal: Refusal) -> Answer {
        log::info!("{}: {refusal}", asked.name);
        let mut response = refusal_response(refusal);
        match refusal {
            Refusal::TooLarge | Refusal::NoSpace => {
                let operation = self.service.route(request).ok();
                let limit = operation.and_then(|operation| self.service.limit(operation));
                if let Some(limit) = limit.and_then(|limit| u32::try_from(limit).ok()) {
                    response = response.uint(number::SIZE1, limit);
                }
            }
            Refusal::Stale => {
                let now = self.service.vms.now;
                let session = request.session;
                if let Ok(echo) = self.server.challenge(now, session, &mut self.rng) {
                    response = response.option(number::ECHO, &echo);
                }
            }
            _ => {}
        }
        asked.block2 = asked.block2.filter(|block| block.num == 0);
        self.answer(asked, response)
    }

    pub(crate) fn answer(&mut self, asked: &Asked, response: Response) -> Answer {
        let server = &self.server;
        let alive = |session| server.sessions().any(|(id, _)| id == session);
        self.outbox.answer(asked, response, alive)
    }

    /// Writes an answer that is ready into `out`.
    pub(crate) fn send(&mut self, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        while let Some((reply, answer)) = self.ready.pop_front() {
            if let Some(sent) = self.respond(reply, &answer, out) {
                return Some(sent);
            }
        }
        None
    }

    fn respond(
        &mut self,
        reply: server::Reply,
        answer: &Answer,
        out: &mut [u8],
    ) -> Option<(SocketAddr, usize)> {
        let now = self.service.vms.now;
        let code = answer.response.code;
        self.server
            .respond(now, reply, code, |writer| answer.write(writer), out)
            .map_err(|error| log::error!("response not sent: {error}"))
            .ok()
    }
}

/// A refusal, and when to try again.
pub(crate) fn refusal_response(refusal: Refusal) -> Response {
    let response = Response::refusal(refusal);
    match refusal {
        Refusal::OtherTransfer => {
            let seconds = u32::try_from(HELD_MS / 1000).unwrap_or(u32::MAX);
            response.uint(number::MAX_AGE, seconds)
        }
        Refusal::Busy | Refusal::Stopped => response.uint(number::MAX_AGE, 1),
        _ => response,
    }
}
