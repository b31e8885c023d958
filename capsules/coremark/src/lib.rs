//! Goes through the loop of CoreMark, so often as it is asked to: what comes out is
//! the last checksum, and whether the others are as they should be.
#![no_std]

fn coremark(iterations: u32) -> u32 {
    sealift_coremark::run(iterations).packed()
}

sealift_guest::functions!("coremark" = coremark(iterations: u32) -> u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_that_the_checksums_are_good() {
        assert_eq!(coremark(1), 0xe714_0001);
    }
}
