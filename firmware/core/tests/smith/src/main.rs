//! `smith FIRST COUNT STEP`: the modules of `COUNT` seeds from `FIRST` on,
//! `STEP` apart, on standard output. For each: the seed in eight bytes; the
//! module; bytes for what is to be done with it. Both begin with their length
//! in four bytes. All numbers are little-endian. A module of no bytes stands
//! for a seed that had too few.

use std::io::{BufWriter, Result, Write};

use arbitrary::Unstructured;

/// Bytes that are left for what is to be done with a module.
const REST: usize = 512;

fn main() -> Result<()> {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let [first, count, step] = numbers[..] else {
        eprintln!("usage: smith FIRST COUNT STEP");
        std::process::exit(2);
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    for seed in (0..count).map(|n| first + n * step) {
        let bytes = smith::bytes(seed);
        let (rest, head) = bytes.split_at(REST.min(bytes.len() / 2));
        let module = smith::module(&mut Unstructured::new(head)).unwrap_or_default();
        out.write_all(&seed.to_le_bytes())?;
        for part in [&module[..], rest] {
            let len = u32::try_from(part.len()).map_err(std::io::Error::other)?;
            out.write_all(&len.to_le_bytes())?;
            out.write_all(part)?;
        }
    }
    out.flush()
}
