//! What every input is: steps, one after the other. Any bytes are a script.

/// The most steps that are read.
pub const MAX_STEPS: usize = 32;

/// One thing that happens: which, with a small number and some bytes whose
/// meaning depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Which thing; taken modulo how many a target has.
    pub op: u8,
    /// A small number, mostly who.
    pub arg: u8,
    /// The bytes.
    pub data: Vec<u8>,
}

/// An input.
///
/// As bytes: the flags, then for each step `op`, `arg`, the length of its data
/// in two bytes, lowest first, and the data. A length that goes past the end
/// means all that is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// How things are at the start.
    pub flags: u8,
    /// What happens then.
    pub steps: Vec<Step>,
}

impl Step {
    /// A step.
    #[must_use]
    pub fn new(op: u8, arg: u8, data: &[u8]) -> Self {
        Self {
            op,
            arg,
            data: data.to_vec(),
        }
    }
}

impl Script {
    /// Reads a script; there are no bytes that are none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        let (flags, mut rest) = bytes.split_first().unwrap_or((&0, &[]));
        let mut steps = Vec::new();
        while let [op, arg, low, high, tail @ ..] = rest {
            if steps.len() == MAX_STEPS {
                break;
            }
            let length = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
            let (data, tail) = tail.split_at(length);
            steps.push(Step::new(*op, *arg, data));
            rest = tail;
        }
        Self {
            flags: *flags,
            steps,
        }
    }

    /// The bytes that are read as this script.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.flags];
        for step in self.steps.iter().take(MAX_STEPS) {
            let length = u16::try_from(step.data.len()).unwrap_or(u16::MAX);
            bytes.extend([step.op, step.arg]);
            bytes.extend(length.to_le_bytes());
            bytes.extend(&step.data[..usize::from(length)]);
        }
        bytes
    }
}

/// Changes `bytes` as `patches` say, four bytes for each patch: how, where (two
/// bytes, highest first, modulo the length) and a value.
pub fn patch(bytes: &mut Vec<u8>, patches: &[u8]) {
    for patch in patches.chunks_exact(4) {
        let at = usize::from(u16::from_be_bytes([patch[1], patch[2]]));
        let at = at % (bytes.len() + 1);
        match (patch[0] % 5, bytes.get_mut(at)) {
            (0, Some(byte)) => *byte ^= patch[3],
            (1, Some(byte)) => *byte = patch[3],
            (2, _) => bytes.insert(at, patch[3]),
            (3, Some(_)) => drop(bytes.remove(at)),
            (4, _) => bytes.truncate(at),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_as_it_was_written() {
        let script = Script {
            flags: 3,
            steps: vec![Step::new(1, 2, &[]), Step::new(0, 255, &[7; 300])],
        };
        assert_eq!(Script::decode(&script.encode()), script);
    }

    #[test]
    fn any_bytes_are_a_script() {
        for length in 0..20 {
            for byte in [0, 1, 0xff] {
                let script = Script::decode(&vec![byte; length]);
                assert_eq!(Script::decode(&script.encode()), script);
            }
        }
    }

    #[test]
    fn patches_change_what_they_say() {
        let patched = |patches: &[u8]| {
            let mut bytes = vec![1, 2, 3];
            patch(&mut bytes, patches);
            bytes
        };
        assert_eq!(patched(&[0, 0, 1, 1]), [1, 3, 3]);
        assert_eq!(patched(&[1, 0, 1, 9]), [1, 9, 3]);
        assert_eq!(patched(&[2, 0, 3, 9]), [1, 2, 3, 9]);
        assert_eq!(patched(&[3, 0, 0, 9]), [2, 3]);
        assert_eq!(patched(&[4, 0, 1, 9]), [1]);
        assert_eq!(patched(&[0, 0, 3, 9]), [1, 2, 3]);
    }
}
