//! The figures in the README are those that the code gives.

#[test]
#[cfg(target_pointer_width = "64")]
fn the_table_of_the_store_is_up_to_date() {
    let table = sealift_bench::store::table().expect("runs");
    let readme = include_str!("../README.md");
    assert!(
        readme.contains(&table),
        "put this into bench/README.md:\n{table}"
    );
}
