//! Serves two Fibonacci numbers.
#![no_std]

use sealift_guest::{Capsule, Line, Request, Response};

struct Fibonacci;

impl Capsule for Fibonacci {
    fn start() -> Option<Self> {
        Some(Self)
    }

    fn resources(&self) -> &'static [&'static str] {
        &["fibo_ten", "fibo_twenty"]
    }

    fn handle(&mut self, request: &Request<'_>) -> Response {
        let (which, n) = match request.path() {
            "fibo_ten" => ("tenth", 10),
            "fibo_twenty" => ("twentieth", 20),
            _ => return Response::not_found(),
        };
        let mut line = Line::<48>::new();
        line.text("The ").text(which);
        line.text(" Fibonacci number is ").number(fibonacci(n));
        Response::text(line.as_str())
    }
}

fn fibonacci(n: u32) -> u32 {
    let (mut this, mut next) = (0_u32, 1_u32);
    for _ in 0..n {
        (this, next) = (next, this.wrapping_add(next));
    }
    this
}

sealift_guest::persistent!(Fibonacci, heap = bump);

#[cfg(test)]
mod tests {
    use super::*;

    use sealift_guest::Code;
    use sealift_guest::testing::Device;

    #[test]
    fn it_serves_two_numbers_and_no_others() {
        let mut capsule = Device::new().start::<Fibonacci>().unwrap();
        assert_eq!(
            capsule.get("fibo_ten").text(),
            "The tenth Fibonacci number is 55"
        );
        assert_eq!(
            capsule.get("fibo_twenty").text(),
            "The twentieth Fibonacci number is 6765"
        );
        assert_eq!(capsule.get("fibo_thirty").code(), Code::NOT_FOUND);
    }
}
