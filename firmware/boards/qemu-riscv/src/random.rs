//! Random numbers from the board's virtio source.

use virtio_drivers::device::rng::VirtIORng;
use virtio_drivers::transport::DeviceType;

use crate::virtio::{self, BoardHal};

/// A seed from the source; `None` if there is no source or it does not answer.
/// To be asked once: the source is given back, its place is not.
pub(crate) fn seed() -> Option<[u8; 32]> {
    let (_, transport) = virtio::take(DeviceType::EntropySource)?;
    let mut source = VirtIORng::<BoardHal, _>::new(transport).ok()?;
    let mut seed = [0; 32];
    let mut rest = seed.as_mut_slice();
    while !rest.is_empty() {
        let got = source.request_entropy(rest).ok()?;
        rest = rest.get_mut(got..)?;
    }
    Some(seed)
}
