//! What a board has to set aside for the server itself, so that a change shows.

use sealift_oscore::Server;
use std::mem::size_of;

#[test]
fn tables_take_no_place_before_they_are_used() {
    let smallest = size_of::<Server<1, 1, 1, 1>>();
    println!("{smallest} bytes");
    assert_eq!(smallest, size_of::<Server<40, 6, 40, 40>>());
    assert!(smallest <= 440);
}
