//! Hands the device whatever numbers its requests say: addresses and lengths in host
//! calls, what `cabi_realloc` returns, and where an answer or a report lies. It is for
//! a fuzzer, which writes the requests.
//!
//! A request's payload is a list of operations: a byte, and so many numbers of four
//! bytes, lowest first. A number with 0xa5 for its highest byte is an address in
//! [`AREA`]; any other one stands for itself.
#![cfg(target_arch = "wasm32")]
#![cfg_attr(target_arch = "wasm32", no_std)]
#![expect(
    unsafe_code,
    reason = "imports and exports of the canonical ABI: they take any number, and what \
              the device does with it is the question"
)]

use core::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

#[link(wasm_import_module = "ariel:wasm-bindings/log-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "info"]
    safe fn log_info(line: u32, length: u32);
}

#[link(wasm_import_module = "ariel:wasm-bindings/rng-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "[static]r-n-g.next-u32"]
    safe fn rng_u32() -> u32;
    #[link_name = "[static]r-n-g.next-u64"]
    safe fn rng_u64() -> u64;
    #[link_name = "[static]r-n-g.random-bytes"]
    safe fn rng_bytes(length: u32, result: u32);
}

#[link(wasm_import_module = "ariel:wasm-bindings/time-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "sleep"]
    safe fn time_sleep(millis: u64);
    #[link_name = "now-as-millis"]
    safe fn time_now() -> u64;
}

#[link(wasm_import_module = "ariel:wasm-bindings/sensors-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "trigger-measurements"]
    safe fn sensors_trigger(some: u32, category: u32) -> u32;
    #[link_name = "wait-for-reading"]
    safe fn sensors_readings(some: u32, label: u32, result: u32);
}

#[link(wasm_import_module = "ariel:wasm-bindings/gpio-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "wait-for-button-low"]
    safe fn gpio_wait() -> u32;
    #[link_name = "toggle-led"]
    safe fn gpio_toggle() -> u32;
}

#[link(wasm_import_module = "ariel:wasm-bindings/udp-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "[static]udp-socket.bind"]
    safe fn udp_bind(port: u32) -> u32;
    #[link_name = "[static]udp-socket.send"]
    safe fn udp_send(arguments: u32) -> u32;
    #[link_name = "[static]udp-socket.try-recv"]
    safe fn udp_receive(result: u32);
}

/// Where requests prepare what addresses point to.
static AREA: [AtomicU8; 2048] = [const { AtomicU8::new(0) }; 2048];
/// What `cabi_realloc` gives out, as long as it is told nothing else.
static HEAP: [AtomicU8; 3072] = [const { AtomicU8::new(0) }; 3072];
/// How much of it is given out.
static GIVEN: AtomicU32 = AtomicU32::new(0);
/// What `cabi_realloc` returns next, the first one last, and how many those are.
static RETURNED: [AtomicU32; 8] = [const { AtomicU32::new(0) }; 8];
static LEFT: AtomicU32 = AtomicU32::new(0);
/// Where an answer is described: four words, at a place that is a multiple of four.
static RESULT: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];

sealift_guest::__component!("persistent", none);
sealift_guest::__panic_handler!();

#[unsafe(export_name = "cabi_realloc")]
extern "C" fn realloc(_: u32, _: u32, align: u32, length: u32) -> u32 {
    let left = LEFT.load(Relaxed);
    if let Some(index) = left.checked_sub(1)
        && let Some(returned) = RETURNED.get(index as usize)
    {
        LEFT.store(index, Relaxed);
        return returned.load(Relaxed);
    }
    let start = GIVEN.load(Relaxed).next_multiple_of(align.clamp(1, 8));
    GIVEN.store(start.saturating_add(length), Relaxed);
    address(&HEAP).wrapping_add(start)
}

#[unsafe(export_name = "ariel:wasm-bindings/coap-server-guest@0.0.1#initialize-handler")]
extern "C" fn initialize() -> u32 {
    0
}

/// An empty list, or whatever comes of the device's random numbers.
#[unsafe(export_name = "ariel:wasm-bindings/coap-server-guest@0.0.1#report")]
extern "C" fn report() -> u32 {
    let how = rng_u32();
    if how & 1 == 0 {
        return result([0, address(&AREA), 0, 0]);
    }
    for place in (0..64).step_by(4) {
        poke(place, placed(rng_u32()));
    }
    let words = [0, placed(rng_u32()), rng_u32(), 0];
    match how & 2 {
        0 => result(words),
        _ => words[1],
    }
}

#[unsafe(export_name = "ariel:wasm-bindings/coap-server-guest@0.0.1#coap-run")]
extern "C" fn run(code: u32, observed: u32, message: u32, length: u32) -> u32 {
    let start = message.wrapping_sub(address(&HEAP)) as usize;
    let length = observed.min(length) as usize;
    let mut bytes = HEAP
        .iter()
        .skip(start)
        .take(length)
        .map(|byte| byte.load(Relaxed));
    // Behind the options.
    bytes.find(|byte| *byte == 0xff);
    let answer = obey(&mut bytes);
    GIVEN.store(0, Relaxed);
    answer.unwrap_or_else(|| {
        poke(0, 0xff | (code & 0xff) << 8);
        result([0, 0x45, address(&AREA), 2])
    })
}

/// Does one operation after the other; the address of the answer, if one says so.
fn obey(bytes: &mut impl Iterator<Item = u8>) -> Option<u32> {
    while let Some(operation) = bytes.next() {
        let mut number = || {
            let mut number = 0;
            for shift in [0, 8, 16, 24] {
                number |= u32::from(bytes.next().unwrap_or(0)) << shift;
            }
            placed(number)
        };
        match operation % 20 {
            0 => log_info(number(), number()),
            1 => note(rng_u32()),
            2 => note(rng_u64() as u32),
            3 => rng_bytes(number(), number()),
            4 => time_sleep(u64::from(number()) | u64::from(number()) << 32),
            5 => note(time_now() as u32),
            6 => note(sensors_trigger(number(), number())),
            7 => sensors_readings(number(), number(), number()),
            8 => note(gpio_wait()),
            9 => note(gpio_toggle()),
            10 => note(udp_bind(number())),
            11 => note(udp_send(number())),
            12 => udp_receive(number()),
            // Four bytes, or very many, of what addresses point to.
            13 => poke(number() as usize, number()),
            14 => {
                let (value, from, count) = (number(), number(), number());
                let from = from as usize % AREA.len();
                for place in (from..AREA.len()).step_by(4).take(count as usize) {
                    poke(place, value);
                }
            }
            15 => {
                let left = LEFT.load(Relaxed);
                if let Some(returned) = RETURNED.get(left as usize) {
                    returned.store(number(), Relaxed);
                    LEFT.store(left + 1, Relaxed);
                }
            }
            16 => return Some(number()),
            17 => return Some(result([number(), number(), number(), number()])),
            18 => note(core::arch::wasm32::memory_grow::<0>(number() as usize) as u32),
            _ => core::arch::wasm32::unreachable(),
        }
    }
    None
}

/// A number as an argument.
fn placed(number: u32) -> u32 {
    match number >> 24 {
        0xa5 => address(&AREA).wrapping_add(number & 0xff_ffff),
        _ => number,
    }
}

fn address<T>(place: &'static T) -> u32 {
    core::ptr::from_ref(place).addr() as u32
}

/// Keeps what a host call returned, so that it is called.
fn note(number: u32) {
    poke(AREA.len() - 4, number);
}

fn poke(place: usize, number: u32) {
    let bytes = number.to_le_bytes();
    for (to, byte) in AREA.iter().skip(place).zip(bytes) {
        to.store(byte, Relaxed);
    }
}

fn result(words: [u32; 4]) -> u32 {
    for (to, word) in RESULT.iter().zip(words) {
        to.store(word, Relaxed);
    }
    address(&RESULT)
}
