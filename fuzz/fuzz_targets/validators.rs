#![no_main]

sealift_fuzz::fuzzer!(Validators);
