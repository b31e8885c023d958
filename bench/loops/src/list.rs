//! A linked list: its nodes are in an array, and each has the place of the next.

use crate::{Numbers, Sum};

const NODES: usize = 64;
/// What comes after the last.
const END: usize = NODES;

#[derive(Clone, Copy)]
struct Node {
    value: u16,
    next: usize,
}

struct List {
    nodes: [Node; NODES],
    head: usize,
}

/// Finds, reverses, sorts.
pub(crate) fn round(numbers: &mut Numbers, sum: &mut Sum) {
    let mut list = List::new(numbers);
    for _ in 0..8 {
        // Half of them are there.
        let value = numbers.next() % 128;
        sum.add(list.find(value));
    }
    list.reverse();
    list.head = list.sort(list.head, NODES);
    let mut at = list.head;
    while at != END {
        let Node { value, next } = list.nodes[at];
        sum.add(value);
        at = next;
    }
}

impl List {
    fn new(numbers: &mut Numbers) -> Self {
        let mut nodes = [Node { value: 0, next: 0 }; NODES];
        for (at, node) in nodes.iter_mut().enumerate() {
            node.value = numbers.next() % 128;
            node.next = at + 1;
        }
        Self { nodes, head: 0 }
    }

    /// How many nodes are before the first with this value.
    fn find(&self, value: u16) -> u16 {
        let (mut at, mut before) = (self.head, 0);
        while at != END && self.nodes[at].value != value {
            at = self.nodes[at].next;
            before += 1;
        }
        before
    }

    fn reverse(&mut self) {
        let mut turned = END;
        while self.head != END {
            let node = &mut self.nodes[self.head];
            (node.next, turned, self.head) = (turned, self.head, node.next);
        }
        self.head = turned;
    }

    /// Sorts so many nodes from one on, by merging; the first of them then.
    fn sort(&mut self, first: usize, count: usize) -> usize {
        if count < 2 {
            self.nodes[first].next = END;
            return first;
        }
        let half = count / 2;
        let mut middle = first;
        for _ in 0..half {
            middle = self.nodes[middle].next;
        }
        let mut left = self.sort(first, half);
        let mut right = self.sort(middle, count - half);
        let (mut head, mut last) = (END, END);
        while left != END || right != END {
            let from = if right == END
                || left != END && self.nodes[left].value <= self.nodes[right].value
            {
                &mut left
            } else {
                &mut right
            };
            let taken = *from;
            *from = self.nodes[taken].next;
            match last {
                END => head = taken,
                _ => self.nodes[last].next = taken,
            }
            last = taken;
        }
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(list: &List) -> [u16; NODES] {
        let mut at = list.head;
        core::array::from_fn(|_| {
            let Node { value, next } = list.nodes[at];
            at = next;
            value
        })
    }

    #[test]
    fn a_list_is_turned_and_sorted() {
        let mut list = List::new(&mut Numbers(1));
        let mut known = values(&list);
        assert_eq!(list.find(known[0]), 0);
        assert_eq!(list.find(1000), 64);
        list.reverse();
        known.reverse();
        assert_eq!(values(&list), known);
        list.head = list.sort(list.head, NODES);
        known.sort_unstable();
        assert_eq!(values(&list), known);
    }
}
