//! What a board has to set aside for the server, so that a change shows.

use sealift_oscore::Server;
use std::mem::size_of;

#[test]
fn sizes_stay_within_what_is_documented() {
    let session = size_of::<Server<5, 1, 1, 1>>() - size_of::<Server<4, 1, 1, 1>>();
    let pending = size_of::<Server<1, 5, 1, 1>>() - size_of::<Server<1, 4, 1, 1>>();
    let peer = size_of::<Server<1, 1, 5, 1>>() - size_of::<Server<1, 1, 4, 1>>();
    let reply = size_of::<Server<1, 1, 1, 5>>() - size_of::<Server<1, 1, 1, 4>>();
    let base = size_of::<Server<1, 1, 1, 1>>();
    println!(
        "session {session}, half-open {pending}, peer {peer}, reply {reply}, Server<1, 1, 1, 1> {base}"
    );
    println!("Server<4, 2> {}", size_of::<Server<4, 2>>());
    assert!(session <= 208 && pending <= 448 && peer <= 192 && reply <= 1400);
}
