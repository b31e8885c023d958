//! Prints the table of the store: `cargo run -p sealift-bench --bin store`.

fn main() -> anyhow::Result<()> {
    print!("{}", sealift_bench::store::table()?);
    Ok(())
}
