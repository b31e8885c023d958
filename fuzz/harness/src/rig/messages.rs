//! Messages and addresses of the peers.

use sealift_oscore::coap::{BlockOption, Code, Writer};
use std::net::SocketAddr;

/// Whether an outer Block1 option says that this is a part of a message, which is
/// refused before it is looked at.
pub(crate) fn is_part(value: Option<&[u8]>) -> bool {
    let block = value.map(BlockOption::decode);
    block.is_some_and(|block| block.is_ok_and(|block| block.more || block.num != 0))
}

/// Where a peer is: the first two have sessions.
pub(crate) fn address(peer: usize) -> SocketAddr {
    let port = 5000 + u16::try_from(peer % 4).unwrap();
    SocketAddr::from(([10, 0, 0, 1], port))
}

/// Code, options and payload as OSCORE encrypts them.
pub(crate) fn plaintext(code: Code, build: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = [0; 1400];
    let mut writer = Writer::inner(&mut buffer, code).unwrap();
    build(&mut writer);
    let length = writer.finish();
    buffer[..length].to_vec()
}

/// A request without a body.
pub(crate) fn request(code: Code, path: &str) -> Vec<u8> {
    plaintext(code, |writer| writer.uri_path(path).unwrap())
}
