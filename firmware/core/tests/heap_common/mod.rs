//! An allocator that counts, and capsules that fail, one for each way.
#![allow(
    unsafe_code,
    reason = "an allocator that counts; it hands everything on to the system's"
)]
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use sealift_core::capsule::{FUEL_PER_MS, SLICE};
use sealift_manifest::Grants;

use crate::capsules::{
    BIND, Capsule, LOG, Parts, RANDOM_BYTES, SEND, SLEEP, TRIGGER, WAIT, persistent, with_realloc,
};

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// What this thread has allocated, less what it has freed; and the most of that.
    static HERE: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends may free something after these are gone.
    let _ = HERE.try_with(|here| {
        here.set(here.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(here.get())));
    });
}

// SAFETY: the layouts and pointers go to the system's allocator as they come.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        count(layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        count(-layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that are allocated.
pub(crate) fn in_use() -> usize {
    IN_USE.load(Ordering::Relaxed)
}

/// The most that `work` has allocated at a time, in bytes.
pub(crate) fn most_in(work: impl FnOnce()) -> usize {
    let before = HERE.get();
    MOST.set(before);
    work();
    (MOST.get() - before).unsigned_abs()
}

/// Stacks of fibers are mapped where there is virtual memory.
pub(crate) fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count())
}

/// Fuel of each, ten slices, so that it does not take long.
const FUEL: u64 = 10 * SLICE;

/// Milliseconds that the one that sleeps does.
pub(crate) const SLEEPS_MS: u64 = 5000;

/// Those that fail while they start, be it that they are stopped or that they
/// say so themselves.
pub(crate) fn in_the_start() -> Vec<Capsule> {
    let with = |init: &'static str| Parts {
        init,
        ..Parts::default()
    };
    let parts = [
        with("unreachable"),
        with("(loop br 0)"),
        Parts {
            init_result: 1,
            ..Parts::default()
        },
        // What it reports: a list of 2^31, a string that is none.
        with("(i32.store (i32.const 8) (i32.const 0x80000000))"),
        with("(i32.store8 (i32.const 25) (i32.const 0xff))"),
        Parts {
            functions: "(func $s (loop br 0)) (start $s)",
            ..Parts::default()
        },
    ];
    parts.into_iter().map(|parts| granted(parts, "")).collect()
}

/// Those that fail when they are called.
pub(crate) fn in_a_call() -> Vec<Capsule> {
    let with = |run: &'static str| Parts {
        run,
        ..Parts::default()
    };
    let calling = |head: &'static str, run: &'static str| Parts { head, ..with(run) };
    let network = format!("{BIND}{SEND}");
    let sensors = format!("{TRIGGER}{WAIT}");
    let plain = [
        with("unreachable"),
        with("(loop br 0)"),
        Parts {
            functions: "(func $dig (result i32) (i32.add (call $dig) (i32.const 1)))",
            ..with("(drop (call $dig))")
        },
        with("(loop (drop (memory.grow (i32.const 1))) br 0)"),
        with("(drop (memory.grow (i32.const 100))) unreachable"),
        Parts {
            functions: "(table $t 0 funcref)",
            ..with("(loop (drop (table.grow $t (ref.null func) (i32.const 1))) br 0)")
        },
        // Host calls: without end, with a line that is no text, with a
        // promise of more bytes than there are.
        calling(LOG, "(loop (call $info (i32.const 24) (i32.const 4)) br 0)"),
        calling(
            LOG,
            "(i32.store8 (i32.const 24) (i32.const 255))
            (call $info (i32.const 24) (i32.const 4))",
        ),
        calling(LOG, "(call $info (i32.const 24) (i32.const 0x80000000))"),
        calling(
            RANDOM_BYTES,
            "(call $bytes (i32.const 0x80000000) (i32.const 64))",
        ),
        // A flood of datagrams.
        Parts {
            head: &network,
            ..with(
                "(drop (call $bind (i32.const 1234)))
                (loop (drop (call $send (i32.const 2048))) br 0)",
            )
        },
        calling(SLEEP, "(call $sleep (i64.const 5000)) unreachable"),
        // Answers: of a code that is none, that do not parse, of a list of
        // 2^31, of a megabyte, from where there is nothing.
        Parts {
            code: 1,
            ..Parts::default()
        },
        Parts {
            answer: "\\90",
            ..Parts::default()
        },
        with("(i32.store (i32.const 44) (i32.const 0x80000000))"),
        with("(i32.store (i32.const 44) (i32.const 0x100000))"),
        with("(i32.store (i32.const 40) (i32.const -4))"),
    ];
    let random = calling(
        RANDOM_BYTES,
        "(call $bytes (i32.const 1024) (i32.const 64))",
    );
    let readings = Parts {
        head: &sensors,
        ..with(
            "(drop (call $trigger (i32.const 0) (i32.const 0)))
            (call $wait (i32.const 0) (i32.const 0) (i32.const 1024))",
        )
    };
    let mut all: Vec<_> = plain.into_iter().map(|parts| granted(parts, "")).collect();
    // The buffers that it is asked for: behind the end, unaligned, never.
    all.push(granted(Parts::default(), "i32.const 65536"));
    all.push(granted(random, "i32.const 65000"));
    all.push(granted(readings, "i32.const 8193"));
    all.push(granted(random, "(loop br 0) unreachable"));
    all
}

/// With all grants, and `realloc` as the body of `cabi_realloc`.
fn granted(parts: Parts<'_>, realloc: &str) -> Capsule {
    let capsule = match realloc {
        "" => persistent(parts),
        body => with_realloc(parts, body),
    };
    let sleeps = parts.head == SLEEP;
    Capsule {
        fuel: if sleeps {
            (SLEEPS_MS + 100) * FUEL_PER_MS
        } else {
            FUEL
        },
        ..capsule.grant(Grants::ALL)
    }
}
