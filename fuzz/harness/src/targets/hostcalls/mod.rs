//! What a capsule hands to the device: any address, length and number in host calls,
//! from `cabi_realloc`, and as an answer or a report; on the device's own runtime.
//!
//! The capsule (`capsules/hostile/calls`) does what its requests say, and a step of a
//! script is mostly such a request. Next to it is another instance, which behaves: it
//! answers throughout.

mod board;
mod seeds;

use std::sync::OnceLock;

use sealift_core::capsule::{
    Activity, Answer, ArtifactBytes, Called, Fault, MAX_MESSAGE, Persistent, Progress, Quota,
};
use sealift_manifest::{Manifest, Scan, Verified, scan_head, verify};
use sealift_oscore::coap::{Code, Options};

use super::time;
use crate::fixtures::Fixtures;
use crate::memory;
use crate::script::{Script, Step};
use crate::trace::Trace;
use board::Board;

pub(crate) use seeds::seeds;

/// What each number of a step stands for: a request with this payload; one of these
/// bytes; time that passes; a datagram that arrives; measurements that there are; a
/// start, with these numbers at random.
const CALL: u8 = 0;
const MESSAGE: u8 = 1;
const WAIT: u8 = 2;
const ARRIVE: u8 = 3;
const MEASURE: u8 = 4;
const START: u8 = 5;

const STEPS: u8 = 6;

/// How often something is polled before it has to come to its end.
const MAX_POLLS: usize = 100_000;
/// What a device may hold for two capsules, and what one call may take besides.
const MAX_HELD: usize = 2 << 20;

/// The method of every request.
const POST: u8 = 2;

/// The capsule, verified.
struct Hostile {
    manifest: Verified<Manifest<'static>>,
    payload: Vec<u8>,
}

impl Hostile {
    /// The same for every input; `None` where there are no signed capsules.
    fn get() -> Option<&'static Self> {
        static HOSTILE: OnceLock<Option<Hostile>> = OnceLock::new();
        HOSTILE.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        let fixtures = Fixtures::load();
        let envelope = fixtures.hostcalls?;
        let Ok(Scan::Complete { head_len, .. }) = scan_head(&envelope) else {
            panic!("the head is not complete");
        };
        let (head, payload) = envelope.split_at(head_len);
        Some(Self {
            manifest: verify(Vec::leak(head.to_vec()), &fixtures.trust).expect("it is good"),
            payload: payload.to_vec(),
        })
    }

    /// Begins to start it.
    fn start(&self, board: &Board, quota: &Quota) -> Result<Starting, Fault> {
        let payload = ArtifactBytes::copy(&self.payload).expect("memory");
        let payload = self.manifest.admit(payload).expect("its payload");
        Persistent::start(&self.manifest, payload, board.clone(), quota)
    }
}

type Starting = Activity<Result<Persistent<Board>, Fault>>;

/// A component, its board and what it may use.
struct Place {
    hostile: &'static Hostile,
    board: Board,
    quota: Quota,
    capsule: Option<Persistent<Board>>,
}

pub(super) fn run(script: &Script) -> Trace {
    let mut trace = Trace::default();
    let Some(hostile) = Hostile::get() else {
        return trace;
    };
    let before = memory::used();
    let mut place = Place::new(hostile, script.flags);
    let mut neighbour = Place::new(hostile, 0);
    neighbour.start();
    for step in &script.steps {
        act(&mut place, step, &mut trace);
        neighbour.behave();
        let held = memory::used().saturating_sub(before);
        assert!(held <= MAX_HELD, "holds {held} bytes");
    }
    // Whatever was before, it starts, and answers who behaves.
    place.board.calm();
    place.capsule = None;
    place.behave();
    trace.reached = place.board.was_used();
    trace
}

fn act(place: &mut Place, step: &Step, trace: &mut Trace) {
    match step.op % STEPS {
        CALL => {
            let payload = step.data.get(..MAX_MESSAGE - 1).unwrap_or(&step.data);
            place.call(step.arg, &[&[0xff], payload].concat(), trace);
        }
        MESSAGE => place.call(step.arg, &step.data, trace),
        WAIT => place.board.wait(time(step.arg)),
        ARRIVE => place.board.arrive(step.arg, &step.data),
        MEASURE => place.board.measure(&step.data),
        START => {
            place.capsule = None;
            place.board.roll(&step.data);
            place.start();
        }
        _ => {}
    }
}

impl Place {
    fn new(hostile: &'static Hostile, flags: u8) -> Self {
        Self {
            hostile,
            board: Board::new(flags),
            quota: Quota::default(),
            capsule: None,
        }
    }

    /// Starts the capsule; it may fail, as its report is what the random numbers say.
    fn start(&mut self) {
        self.board.begin();
        let starting = self.hostile.start(&self.board, &self.quota);
        let started = self.finish(starting.expect("it was started before"));
        if let Ok(capsule) = &started {
            for path in capsule.resources() {
                assert!(!path.is_empty() && path.is_ascii(), "{path:?}");
            }
        }
        self.capsule = started.ok();
        self.board.check_call();
    }

    /// Calls the capsule, which is started if it has to be.
    fn call(&mut self, code: u8, message: &[u8], trace: &mut Trace) {
        if self.capsule.is_none() {
            self.start();
        }
        match self.request(code, message) {
            Some(Ok(answer)) => {
                check(&answer);
                trace.done += 1;
            }
            Some(Err(_)) => trace.refused += 1,
            None => {}
        }
    }

    /// What came of a call; a capsule with a fault is gone.
    fn request(&mut self, code: u8, message: &[u8]) -> Option<Result<Answer, Fault>> {
        let capsule = self.capsule.take()?;
        self.board.begin();
        let called = match capsule.call(code, message) {
            Ok(activity) => self.finish(activity),
            Err((capsule, fault)) => {
                assert!(message.len() > MAX_MESSAGE, "refused a request: {fault}");
                self.capsule = Some(capsule);
                return Some(Err(fault));
            }
        };
        let Called { capsule, answer } = called;
        let invoke = &self.hostile.manifest.invoke;
        let usage = capsule.usage();
        assert!(usage.fuel_last <= invoke.fuel, "{usage:?}");
        assert!(usage.memory <= invoke.memory, "{usage:?}");
        match &answer {
            Ok(_) => self.capsule = Some(capsule),
            Err(fault) => {
                assert!(!fault.to_string().contains('\n'), "{fault}");
                // It is gone for good.
                let again = capsule.call(POST, &[]);
                assert!(matches!(again, Err((_, Fault::Stopped))));
            }
        }
        self.board.check_call();
        Some(answer)
    }

    /// A request as any other: it is answered.
    fn behave(&mut self) {
        if self.capsule.is_none() {
            self.start();
        }
        match self.request(POST, &[0xff]) {
            Some(Ok(answer)) => {
                assert_eq!(
                    (answer.code, &answer.message[..]),
                    (0x45, &[0xff, POST][..])
                );
            }
            other => panic!("it does not go on: {other:?}"),
        }
    }

    /// Polls to the end; time passes where the capsule waits.
    fn finish<T: 'static>(&self, mut activity: Activity<T>) -> T {
        for _ in 0..MAX_POLLS {
            match activity.poll() {
                Progress::Done(done) => return done,
                Progress::Again => {}
                Progress::Waits(Some(until)) => self.board.wait_until(until),
                Progress::Waits(None) => self.board.wait(10),
            }
        }
        panic!("it does not come to its end");
    }
}

/// An answer is one.
fn check(answer: &Answer) {
    assert!(Code(answer.code).is_response(), "{answer:?}");
    assert!(answer.message.len() <= MAX_MESSAGE, "{answer:?}");
    assert!(Options::parse(&answer.message).is_ok(), "{answer:?}");
}
