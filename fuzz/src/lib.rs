//! What the fuzzers have in common: libFuzzer calls the harness, and changes scripts by
//! their structure.

#![forbid(unsafe_code)]

#[doc(hidden)]
pub use {fuzz_harness, libfuzzer_sys};

/// The fuzzer of a target whose inputs are any bytes.
#[macro_export]
macro_rules! fuzzer_of_bytes {
    ($target:ident) => {
        #[global_allocator]
        static COUNTING: $crate::fuzz_harness::memory::Counting =
            $crate::fuzz_harness::memory::Counting;

        $crate::libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            $crate::fuzz_harness::Target::$target.run(input);
        });
    };
}

/// The fuzzer of a target whose inputs are scripts.
#[macro_export]
macro_rules! fuzzer {
    ($target:ident) => {
        $crate::fuzzer_of_bytes!($target);

        $crate::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8],
                                              size: usize,
                                              max_size: usize,
                                              seed: u32| {
            $crate::mutate(data, size, max_size, seed)
        });

        $crate::libfuzzer_sys::fuzz_crossover!(|one: &[u8],
                                                other: &[u8],
                                                out: &mut [u8],
                                                seed: u32| {
            $crate::put(&$crate::fuzz_harness::cross(one, other, seed), out)
        });
    };
}

/// Bytes that libFuzzer may add to a step at a time.
const MORE: usize = 64;

/// Changes the input in `data[..size]`; returns its new size.
#[must_use]
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let changed = fuzz_harness::mutate(&data[..size], seed, |bytes| {
        let before = bytes.len();
        bytes.resize(before + MORE, 0);
        let after = libfuzzer_sys::fuzzer_mutate(bytes, before, before + MORE);
        bytes.truncate(after);
    });
    put(&changed, &mut data[..max_size])
}

/// Puts as much of an input into `out` as fits; returns how much.
#[must_use]
pub fn put(input: &[u8], out: &mut [u8]) -> usize {
    let size = input.len().min(out.len());
    out[..size].copy_from_slice(&input[..size]);
    size
}
