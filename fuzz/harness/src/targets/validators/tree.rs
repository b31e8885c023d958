//! CBOR as a tree that can be changed: byte strings that hold CBOR are read on.

use crate::script::{Step, patch};

/// How deep byte strings and lists are read.
const MAX_DEPTH: usize = 12;
/// What a tree may grow to.
const MAX_NODES: usize = 400;

/// A length that is not said.
const ENDLESS: u8 = 5;

/// A data item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    content: Content,
    /// How many sizes longer than the shortest its first number is encoded, or
    /// [`ENDLESS`].
    longer: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    /// Of major type 0, 1 or 7.
    Number(u8, u64),
    Bytes(Vec<u8>),
    Text(Vec<u8>),
    /// A byte string that holds one item.
    Holds(Box<Node>),
    Array(Vec<Node>),
    /// Keys and values in turn.
    Map(Vec<Node>),
    Tagged(u64, Box<Node>),
}

/// What is done with a node.
pub(super) const NUMBER: u8 = 0;
pub(super) const STRING: u8 = 1;
pub(super) const REMOVE: u8 = 2;
pub(super) const REPEAT: u8 = 3;
pub(super) const SWAP: u8 = 4;
pub(super) const INSERT: u8 = 5;
pub(super) const REPLACE: u8 = 6;
pub(super) const LONGER: u8 = 7;
pub(super) const TAG: u8 = 8;
pub(super) const HOLD: u8 = 9;

const CHANGES: u8 = 10;

impl Node {
    fn new(content: Content) -> Self {
        Self { content, longer: 0 }
    }

    /// Reads one item that fills `bytes`, in shortest encodings or longer ones, of
    /// lengths that are said.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        Self::read_all(bytes, MAX_DEPTH)
    }

    fn read_all(bytes: &[u8], depth: usize) -> Option<Self> {
        match Self::read_first(bytes, depth)? {
            (node, []) => Some(node),
            _ => None,
        }
    }

    fn read_first(bytes: &[u8], depth: usize) -> Option<(Self, &[u8])> {
        let depth = depth.checked_sub(1)?;
        let (&first, rest) = bytes.split_first()?;
        let (argument, rest) = argument(first & 31, rest)?;
        let longer = u8::from(first & 31 > 23) * (first & 31).saturating_sub(23);
        let shortest = encoded(0, argument, 0).len();
        let longer = longer.saturating_sub([0, 0, 1, 2, 2, 3, 3, 3, 3, 4][shortest.min(9)]);
        let length = usize::try_from(argument).ok();
        let list = |count: usize| {
            let (mut nodes, mut rest) = (Vec::new(), rest);
            for _ in 0..count {
                let (node, behind) = Self::read_first(rest, depth)?;
                nodes.push(node);
                rest = behind;
            }
            Some((nodes, rest))
        };
        let (content, rest) = match first >> 5 {
            2 => {
                let (string, rest) = rest.split_at_checked(length?)?;
                // A number in a string is a string.
                let inside = Self::read_all(string, depth).filter(Self::is_list);
                let content = match inside {
                    Some(node) => Content::Holds(Box::new(node)),
                    None => Content::Bytes(string.to_vec()),
                };
                (content, rest)
            }
            3 => {
                let (string, rest) = rest.split_at_checked(length?)?;
                (Content::Text(string.to_vec()), rest)
            }
            4 => {
                let (nodes, rest) = list(length?)?;
                (Content::Array(nodes), rest)
            }
            5 => {
                let (nodes, rest) = list(length?.checked_mul(2)?)?;
                (Content::Map(nodes), rest)
            }
            6 => {
                let (node, rest) = Self::read_first(rest, depth)?;
                (Content::Tagged(argument, Box::new(node)), rest)
            }
            major => (Content::Number(major, argument), rest),
        };
        Some((Self { content, longer }, rest))
    }

    fn is_list(&self) -> bool {
        matches!(
            self.content,
            Content::Array(_) | Content::Map(_) | Content::Tagged(..)
        )
    }

    /// The encoding.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut Vec<u8>) {
        let list = |out: &mut Vec<u8>, major: u8, count: usize, nodes: &[Self]| {
            match self.longer {
                0..ENDLESS => out.extend(encoded(major, count as u64, self.longer)),
                _ => out.push(major << 5 | 31),
            }
            nodes.iter().for_each(|node| node.write_to(out));
            if self.longer == ENDLESS {
                out.push(0xff);
            }
        };
        let string = |out: &mut Vec<u8>, major: u8, bytes: &[u8]| {
            if self.longer == ENDLESS {
                out.push(major << 5 | 31);
            }
            out.extend(encoded(major, bytes.len() as u64, self.longer));
            out.extend_from_slice(bytes);
            if self.longer == ENDLESS {
                out.push(0xff);
            }
        };
        match &self.content {
            Content::Number(major, argument) => {
                out.extend(encoded(*major, *argument, self.longer));
            }
            Content::Bytes(bytes) => string(out, 2, bytes),
            Content::Text(bytes) => string(out, 3, bytes),
            Content::Holds(node) => string(out, 2, &node.write()),
            Content::Array(nodes) => list(out, 4, nodes.len(), nodes),
            Content::Map(nodes) => list(out, 5, nodes.len() / 2, nodes),
            Content::Tagged(tag, node) => {
                out.extend(encoded(6, *tag, self.longer));
                node.write_to(out);
            }
        }
    }

    /// Whether a length is not said anywhere: what some readers never return from.
    pub(super) fn is_endless(&self) -> bool {
        self.longer == ENDLESS || self.children().iter().any(Self::is_endless)
    }

    /// Whether there is CBOR in every string where SUIT has some: the values of the
    /// envelope, of the manifest and of its common part, and the parts of the
    /// authentication wrapper. Payloads, which have names for keys, hold anything.
    pub(super) fn has_only_cbor(&self) -> bool {
        let Content::Tagged(_, envelope) = &self.content else {
            return false;
        };
        envelope.values().all(|part| match &part.content {
            Content::Holds(part) => part.values().all(|inner| match &inner.content {
                Content::Holds(inner) if matches!(inner.content, Content::Map(_)) => {
                    inner.values().all(Self::is_no_string)
                }
                _ => inner.is_no_string(),
            }),
            _ => part.is_no_string(),
        })
    }

    fn is_no_string(&self) -> bool {
        !matches!(self.content, Content::Bytes(_))
    }

    /// The values of a map that have no names for keys, or what is in an array.
    fn values(&self) -> impl Iterator<Item = &Self> {
        let map = match &self.content {
            Content::Map(nodes) => nodes.as_slice(),
            _ => &[],
        };
        let array = match &self.content {
            Content::Array(nodes) => nodes.as_slice(),
            _ => &[],
        };
        let (pairs, _) = map.as_chunks::<2>();
        let unnamed = pairs
            .iter()
            .filter(|[key, _]| !matches!(key.content, Content::Text(_)));
        unnamed.map(|[_, value]| value).chain(array)
    }

    fn children(&self) -> &[Self] {
        match &self.content {
            Content::Array(nodes) | Content::Map(nodes) => nodes,
            Content::Holds(node) | Content::Tagged(_, node) => std::slice::from_ref(node),
            _ => &[],
        }
    }

    fn children_mut(&mut self) -> &mut [Self] {
        match &mut self.content {
            Content::Array(nodes) | Content::Map(nodes) => nodes,
            Content::Holds(node) | Content::Tagged(_, node) => std::slice::from_mut(node),
            _ => &mut [],
        }
    }

    fn count(&self) -> usize {
        1 + self.children().iter().map(Self::count).sum::<usize>()
    }

    /// The node of this number, in the order of the encoding.
    fn at(&mut self, mut number: usize) -> Option<&mut Self> {
        if number == 0 {
            return Some(self);
        }
        number -= 1;
        for child in self.children_mut() {
            let count = child.count();
            if number < count {
                return child.at(number);
            }
            number -= count;
        }
        None
    }

    /// Changes a node as the step says.
    pub(super) fn change(&mut self, step: &Step) {
        let [high, low, data @ ..] = &step.data[..] else {
            return;
        };
        let number = usize::from(u16::from_be_bytes([*high, *low]));
        let count = self.count();
        let Some(node) = self.at(number % count) else {
            return;
        };
        let place = usize::from(step.arg & 0x3f);
        let given = || Self::read(data).unwrap_or(Self::new(Content::Bytes(data.to_vec())));
        match step.op % CHANGES {
            NUMBER => {
                let bytes = data.iter().take(8);
                let argument = bytes.fold(0, |number, byte| number << 8 | u64::from(*byte));
                let major = [0, 1, 7][place % 3];
                node.content = Content::Number(major, argument);
            }
            STRING => {
                if let Content::Bytes(bytes) | Content::Text(bytes) = &mut node.content {
                    patch(bytes, data);
                }
            }
            REPLACE => *node = given(),
            LONGER => node.longer = [0, 1, 2, 3, ENDLESS][usize::from(step.arg % 5)],
            TAG => match &mut node.content {
                Content::Tagged(tag, _) => *tag = place as u64,
                _ => {
                    let inside = node.clone();
                    node.content = Content::Tagged(place as u64, Box::new(inside));
                }
            },
            HOLD => {
                let inside = node.clone();
                node.content = match inside.content {
                    Content::Holds(inside) => inside.content,
                    _ => Content::Holds(Box::new(inside)),
                };
            }
            change => {
                if let Some((nodes, each)) = node.list() {
                    rearrange(nodes, each, place, change, count, given);
                }
            }
        }
    }

    /// What is in a list, and how many nodes an entry has.
    fn list(&mut self) -> Option<(&mut Vec<Self>, usize)> {
        match &mut self.content {
            Content::Array(nodes) => Some((nodes, 1)),
            Content::Map(nodes) => Some((nodes, 2)),
            _ => None,
        }
    }
}

/// Changes the entries of a list, each of so many nodes.
fn rearrange(
    nodes: &mut Vec<Node>,
    each: usize,
    place: usize,
    change: u8,
    count: usize,
    given: impl Fn() -> Node,
) {
    let entries = nodes.len() / each;
    let at = place % (entries + 1) * each;
    let there = at..at + each;
    match (change, nodes.get(there.clone()).map(<[Node]>::to_vec)) {
        (REMOVE, Some(_)) => drop(nodes.drain(there)),
        (REPEAT, Some(entry)) if count < MAX_NODES => drop(nodes.splice(at..at, entry)),
        (SWAP, Some(_)) if at + 2 * each <= nodes.len() => {
            for n in at..at + each {
                nodes.swap(n, n + each);
            }
        }
        (INSERT, _) if count < MAX_NODES => {
            let node = given();
            // Of two, where that is an entry.
            let entry = match node.content {
                Content::Array(pair) if pair.len() == each => pair,
                _ => vec![node; each],
            };
            nodes.splice(at..at, entry);
        }
        _ => {}
    }
}

/// The byte string that `bytes` begin with.
pub(super) fn string(bytes: &[u8]) -> Option<&[u8]> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = argument(first & 31, rest)?;
    let (string, _) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    (first >> 5 == 2).then_some(string)
}

/// The argument that a first byte with these five bits says.
fn argument(low: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    let size = match low {
        0..24 => return Some((low.into(), rest)),
        24..28 => 1 << (low - 24),
        _ => return None,
    };
    let (bytes, rest) = rest.split_at_checked(size)?;
    let number = bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    Some((number, rest))
}

/// A first byte and its argument, so many sizes longer than it has to be.
fn encoded(major: u8, argument: u64, longer: u8) -> Vec<u8> {
    let size = match argument {
        0..24 => 0,
        24..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 3,
        _ => 4,
    };
    let bytes = argument.to_be_bytes();
    match (size + longer % ENDLESS).min(4) {
        0 => vec![major << 5 | bytes[7]],
        size => {
            let head = [major << 5 | (23 + size)];
            [&head, &bytes[8 - (1 << (size - 1))..]].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_as_it_was() {
        for bytes in [
            &[0xd8, 107, 0xa2, 2, 0x42, 0x81, 5, 0x38, 0xff, 0x61, b'a'][..],
            &[0x1a, 0, 0, 0, 5],
            &[0x58, 1, 0x80],
            &[0x9b, 0, 0, 0, 0, 0, 0, 0, 1, 0xf6],
        ] {
            let node = Node::read(bytes).unwrap();
            assert_eq!(node.write(), bytes, "{node:?}");
            assert!(!node.is_endless());
        }
    }

    #[test]
    fn a_change_is_made_where_it_says() {
        let changed = |op, arg, data: &[u8]| {
            let mut node = Node::read(&[0x83, 1, 0x42, 0x81, 2, 3]).unwrap();
            node.change(&Step::new(op, arg, data));
            node.write()
        };
        assert_eq!(changed(NUMBER, 0, &[0, 5, 9]), [0x83, 1, 0x42, 0x81, 2, 9]);
        assert_eq!(changed(NUMBER, 0, &[0, 4, 9]), [0x83, 1, 0x42, 0x81, 9, 3]);
        assert_eq!(changed(REMOVE, 0, &[0, 0]), [0x82, 0x42, 0x81, 2, 3]);
        assert_eq!(changed(REPEAT, 2, &[0, 0]), [0x84, 1, 0x42, 0x81, 2, 3, 3]);
        assert_eq!(
            changed(INSERT, 3, &[0, 0, 7]),
            [0x84, 1, 0x42, 0x81, 2, 3, 7]
        );
        assert_eq!(changed(HOLD, 0, &[0, 2]), [0x83, 1, 0x81, 2, 3]);
        assert_eq!(
            changed(LONGER, 4, &[0, 2]),
            [0x83, 1, 0x5f, 0x42, 0x81, 2, 0xff, 3]
        );
    }
}
