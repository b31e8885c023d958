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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    if let Some(("of", files)) = arguments.split_first().map(|(of, files)| (&**of, files)) {
        for (file, number) in files.iter().zip(0..) {
            let bytes = std::fs::read(file)?;
            let mut source = Unstructured::new(&bytes);
            let module = smith::module(&mut source).unwrap_or_default();
            write(&mut out, number, &module, source.take_rest())?;
        }
        return out.flush();
    }
    let numbers: Vec<u64> = arguments
        .iter()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let [first, count, step] = numbers[..] else {
        eprintln!("usage: smith FIRST COUNT STEP, or smith of FILE...");
        std::process::exit(2);
    };
    for seed in (0..count).map(|n| first + n * step) {
        let bytes = smith::bytes(seed);
        let (rest, head) = bytes.split_at(REST.min(bytes.len() / 2));
        let module = smith::module(&mut Unstructured::new(head)).unwrap_or_default();
        write(&mut out, seed, &module, rest)?;
    }
    out.flush()
}

fn write(out: &mut impl Write, seed: u64, module: &[u8], rest: &[u8]) -> Result<()> {
    out.write_all(&seed.to_le_bytes())?;
    for part in [module, rest] {
        let len = u32::try_from(part.len()).map_err(std::io::Error::other)?;
        out.write_all(&len.to_le_bytes())?;
        out.write_all(part)?;
    }
    Ok(())
}
