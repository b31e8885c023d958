#![no_main]

#[global_allocator]
static COUNTING: sealift_fuzz::fuzz_harness::memory::Counting =
    sealift_fuzz::fuzz_harness::memory::Counting;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _ = fuzz_wasm::translated(input, smith::module);
});
