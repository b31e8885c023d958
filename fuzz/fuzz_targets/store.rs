#![no_main]

sealift_fuzz::fuzzer_of_bytes!(Store);
