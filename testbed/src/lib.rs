//! A bench with the real programs on it: the offline signer, the updater and
//! a device, each a process of its own. The demo and the end-to-end tests
//! are written against this. And a bad link between them: as a proxy between
//! sockets, or as a simulation of both ends.

#![forbid(unsafe_code)]

mod ballast;
mod board;
mod device;
mod peer;
mod programs;
mod proxy;
mod simulation;
mod weather;
mod workshop;

pub use ballast::with_ballast;
pub use board::{BOARD, Board};
pub use device::{Device, DeviceOptions, Memory};
pub use peer::{Answer, RawPeer};
pub use programs::{DEVICE, Outcome, Programs};
pub use proxy::Proxy;
pub use sealift_oscore::coap::Code;
pub use simulation::{Counted, Mishap, Outgoing, Peer, Simulation};
pub use weather::{Dice, Fates, Weather, most_transmissions};
pub use workshop::{Sign, Workshop};
