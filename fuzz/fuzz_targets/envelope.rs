#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    sealift_fuzz::fuzz_harness::Unscripted::Envelope.run(input);
});
