//! The imports of a component, by the canonical ABI.
#![expect(
    unsafe_code,
    reason = "imports of the canonical ABI; each block says why it may"
)]

use alloc::boxed::Box;
use core::mem::MaybeUninit;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ptr::null_mut;

use super::Unavailable;
use super::sensors::{Category, Label, Reading};
use super::udp::Datagram;

#[link(wasm_import_module = "ariel:wasm-bindings/log-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "info"]
    fn log_info(line: *const u8, len: usize);
}

#[link(wasm_import_module = "ariel:wasm-bindings/rng-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "[static]r-n-g.next-u32"]
    safe fn rng_u32() -> u32;
    #[link_name = "[static]r-n-g.next-u64"]
    safe fn rng_u64() -> u64;
    #[link_name = "[static]r-n-g.random-bytes"]
    safe fn rng_bytes(len: u32, list: &mut List<u8>);
}

#[link(wasm_import_module = "ariel:wasm-bindings/time-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "sleep"]
    safe fn time_sleep(millis: u64);
    #[link_name = "now-as-millis"]
    safe fn time_now() -> u64;
}

#[link(wasm_import_module = "ariel:wasm-bindings/sensors-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "trigger-measurements"]
    safe fn sensors_trigger(some: u32, category: u32) -> u32;
    #[link_name = "wait-for-reading"]
    safe fn sensors_readings(some: u32, label: u32, result: &mut MaybeUninit<Readings>);
}

#[link(wasm_import_module = "ariel:wasm-bindings/gpio-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "wait-for-button-low"]
    safe fn gpio_wait() -> u32;
    #[link_name = "toggle-led"]
    safe fn gpio_toggle() -> u32;
}

#[link(wasm_import_module = "ariel:wasm-bindings/udp-api@0.0.1")]
unsafe extern "C" {
    #[link_name = "[static]udp-socket.bind"]
    safe fn udp_bind(port: u32) -> u32;
    #[link_name = "[static]udp-socket.send"]
    fn udp_send(arguments: &Outgoing) -> u32;
    #[link_name = "[static]udp-socket.try-recv"]
    safe fn udp_receive(result: &mut Received);
}

/// A list that the device allocates by `cabi_realloc`, and the capsule owns.
/// Before that, it is at 0.
#[repr(C)]
struct List<T> {
    first: *mut T,
    len: usize,
}

impl<T> List<T> {
    const NONE: Self = Self {
        first: null_mut(),
        len: 0,
    };

    /// # Safety
    ///
    /// The device must have written it, and it must be taken once.
    unsafe fn take(self) -> Box<[T]> {
        let items = core::ptr::slice_from_raw_parts_mut(self.first, self.len);
        // SAFETY: no list is at 0; saying so makes a check less.
        unsafe { core::hint::assert_unchecked(!self.first.is_null()) };
        // SAFETY: the list has the length that was allocated; one of length 0
        // is no block, and needs none.
        unsafe { Box::from_raw(items) }
    }
}

/// `result<list<tuple<sample, channel>>>`
#[repr(C)]
struct Readings {
    error: u8,
    /// Written where there is no error.
    list: MaybeUninit<List<Reading>>,
}

/// `ip-addr`
#[derive(Clone, Copy)]
#[repr(C, u8)]
enum Address {
    V4([u8; 4]),
    V6([u16; 8]),
}

/// `udp-metadata`
#[derive(Clone, Copy)]
#[repr(C)]
struct Metadata {
    address: Address,
    port: u16,
    local: LocalAddress,
}

/// `option<ip-addr>`
#[derive(Clone, Copy)]
#[repr(C, u8)]
#[expect(dead_code, reason = "made by the device, too")]
enum LocalAddress {
    None,
    Some(Address),
}

/// The arguments of `send`, which are too many to pass one by one.
#[repr(C)]
struct Outgoing {
    data: *const u8,
    len: usize,
    to: Metadata,
}

/// `result<option<tuple<list<u8>, udp-metadata>>>`
#[repr(C)]
struct Received {
    error: u8,
    datagram: Incoming,
}

#[repr(C, u8)]
#[expect(dead_code, reason = "made by the device")]
enum Incoming {
    None,
    Some { data: List<u8>, from: Metadata },
}

const _: () = {
    assert!(size_of::<Readings>() == 12);
    assert!(size_of::<Address>() == 18);
    assert!(size_of::<Metadata>() == 40);
    assert!(size_of::<Outgoing>() == 48);
    assert!(size_of::<Received>() == 56);
};

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => Self::V6(address.segments()),
        }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        match address {
            Address::V4(octets) => Ipv4Addr::from(octets).into(),
            Address::V6(segments) => Ipv6Addr::from(segments).into(),
        }
    }
}

/// A `result` without values.
fn ok(error: u32) -> Result<(), Unavailable> {
    match error {
        0 => Ok(()),
        _ => Err(Unavailable),
    }
}

pub(super) fn log(line: &str) {
    // SAFETY: the device reads the text and keeps nothing.
    unsafe { log_info(line.as_ptr(), line.len()) };
}

pub(super) fn next_u32() -> u32 {
    rng_u32()
}

pub(super) fn next_u64() -> u64 {
    rng_u64()
}

pub(super) fn random_bytes(len: u32) -> Box<[u8]> {
    let mut list = List::NONE;
    rng_bytes(len, &mut list);
    // SAFETY: the device wrote it.
    unsafe { list.take() }
}

pub(super) fn sleep(millis: u64) {
    time_sleep(millis);
}

pub(super) fn now() -> u64 {
    time_now()
}

pub(super) fn trigger(category: Option<Category>) -> Result<(), Unavailable> {
    let number = category.map_or(0, |category| category as u32);
    ok(sensors_trigger(category.is_some().into(), number))
}

pub(super) fn readings(label: Option<Label>) -> Result<Box<[Reading]>, Unavailable> {
    let number = label.map_or(0, |label| label as u32);
    let mut result = MaybeUninit::<Readings>::uninit();
    sensors_readings(label.is_some().into(), number, &mut result);
    // SAFETY: the device wrote it, as far as it has to be.
    let result = unsafe { result.assume_init() };
    ok(result.error.into())?;
    // SAFETY: where there is no error, the device wrote it.
    let list = unsafe { result.list.assume_init() };
    // SAFETY: as said.
    Ok(unsafe { list.take() })
}

pub(super) fn wait_for_button() -> Result<(), Unavailable> {
    ok(gpio_wait())
}

pub(super) fn toggle_led() -> Result<(), Unavailable> {
    ok(gpio_toggle())
}

pub(super) fn bind(port: u16) -> Result<(), Unavailable> {
    ok(udp_bind(port.into()))
}

pub(super) fn send(data: &[u8], to: SocketAddr) -> Result<(), Unavailable> {
    let outgoing = Outgoing {
        data: data.as_ptr(),
        len: data.len(),
        to: Metadata {
            address: to.ip().into(),
            port: to.port(),
            local: LocalAddress::None,
        },
    };
    // SAFETY: the device reads the data and keeps nothing.
    ok(unsafe { udp_send(&outgoing) })
}

pub(super) fn receive() -> Result<Option<Datagram>, Unavailable> {
    let mut result = Received {
        error: 0,
        datagram: Incoming::None,
    };
    udp_receive(&mut result);
    ok(result.error.into())?;
    Ok(match result.datagram {
        Incoming::None => None,
        Incoming::Some { data, from } => Some(Datagram {
            // SAFETY: the device wrote it.
            data: unsafe { data.take() },
            from: SocketAddr::new(from.address.into(), from.port),
            local: match from.local {
                LocalAddress::None => None,
                LocalAddress::Some(address) => Some(address.into()),
            },
        }),
    })
}
