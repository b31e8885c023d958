//! Computes a Fibonacci number.
#![no_std]

fn fibonacci(n: u32) -> u32 {
    let (mut this, mut next) = (0_u32, 1_u32);
    for _ in 0..n {
        (this, next) = (next, this.wrapping_add(next));
    }
    this
}

sealift_guest::functions!("fibonacci" = fibonacci(n: u32) -> u32; heap = none);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_the_sum_of_the_two_before() {
        assert_eq!(
            [0, 1, 2, 3, 10, 20, 47].map(fibonacci),
            [0, 1, 1, 2, 55, 6765, 2_971_215_073]
        );
    }
}
