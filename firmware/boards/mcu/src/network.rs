//! The network stack of a board, on its driver.

use core::fmt;
use core::net::Ipv4Addr;

use embassy_net::driver::Driver;
use embassy_net::{Config, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use rand_core::RngCore;
use static_cell::ConstStaticCell;

use crate::Random;

/// The device's own socket and one to spare, and DHCP's.
const SOCKETS: usize = if cfg!(feature = "dhcp") { 3 } else { 2 };

/// An address that never changes.
#[must_use]
pub fn fixed(address: Ipv4Cidr, gateway: Option<Ipv4Addr>) -> Config {
    Config::ipv4_static(StaticConfigV4 {
        address,
        gateway,
        dns_servers: Default::default(),
    })
}

/// An address that the network gives, by DHCP.
#[cfg(feature = "dhcp")]
#[must_use]
pub fn dhcp() -> Config {
    Config::dhcpv4(Default::default())
}

/// The stack, and what has to run for it. Once for each program: a second call
/// panics.
pub fn network<D: Driver>(
    driver: D,
    config: Config,
    rng: &mut Random,
) -> (Stack<'static>, Runner<'static, D>) {
    static RESOURCES: ConstStaticCell<StackResources<SOCKETS>> =
        ConstStaticCell::new(StackResources::new());
    embassy_net::new(driver, config, RESOURCES.take(), rng.next_u64())
}

/// What the log last said of the device's address.
#[derive(Default)]
pub(crate) struct Address(Option<Ipv4Cidr>);

impl Address {
    /// Says so where it is another one.
    pub(crate) fn report(&mut self, stack: Stack<'_>) {
        let now = stack.config_v4().map(|config| config.address);
        if now == self.0 {
            return;
        }
        self.0 = now;
        let text: &dyn fmt::Display = match &now {
            Some(address) => address,
            None => &"none",
        };
        log::info!("address: {text}");
    }
}
