//! Greets: the input is a name, the output the greeting.
#![no_std]

use sealift_guest::{Job, String, Vec};

struct Hello;

impl Job for Hello {
    fn run(input: Vec<u8>) -> Result<Vec<u8>, String> {
        let name = core::str::from_utf8(&input).map_err(|_| String::from("a name is UTF-8"))?;
        let name = match name.trim() {
            "" => "whoever you are",
            name => name,
        };
        let mut output = Vec::new();
        for part in ["hello, ", name, ", from a capsule"] {
            output.extend_from_slice(part.as_bytes());
        }
        Ok(output)
    }
}

sealift_guest::ephemeral!(Hello);

#[cfg(test)]
mod tests {
    use super::*;

    use sealift_guest::testing::Device;

    #[test]
    fn it_greets_whoever_it_is() {
        let greet = |name| Device::new().run::<Hello>(name);
        assert_eq!(greet(b"Ada").unwrap(), b"hello, Ada, from a capsule");
        assert_eq!(
            greet(b" ").unwrap(),
            b"hello, whoever you are, from a capsule"
        );
        assert!(greet(b"\xff").is_err());
    }
}
