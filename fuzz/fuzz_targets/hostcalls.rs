#![no_main]

sealift_fuzz::fuzzer!(Hostcalls);
