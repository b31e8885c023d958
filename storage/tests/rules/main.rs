//! One test for each rule of the store.

#[path = "../common/mod.rs"]
mod common;

mod counter;
mod lending;
mod place;
mod transfer;
mod versions;
mod wear;

use common::{capsule, flash_pages, layout, payload, with_payload};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use sealift_storage::sim::{Capsule, MockError, MockFlash};
use sealift_storage::{ComponentStatus, Error, Layout, LayoutError, Opened, Phase, SlotId, Store};

const PAGE: u32 = 2048;
const SLOT_PAGES: u16 = 3;
const CAPACITY: u32 = PAGE * SLOT_PAGES as u32 - 1024;
const LAYOUT: Layout<2> = layout(PAGE, SLOT_PAGES);

type Flash = MockFlash<8, 2048>;
type Device = Store<Flash, 2>;
type Result<T> = core::result::Result<T, Error<MockError>>;

fn device() -> Device {
    let mut flash = Flash::with_garbage(flash_pages(SLOT_PAGES), 3);
    flash.demand_fresh_pages();
    Store::mount(flash, LAYOUT).expect("mounts")
}

fn restart(device: Device) -> Device {
    let mut flash = device.into_flash();
    flash.power_on();
    Store::mount(flash, LAYOUT).expect("mounts")
}

fn status(device: &Device) -> ComponentStatus {
    device.status(0).expect("vm1")
}

fn open(device: &mut Device, capsule: &Capsule) -> Result<Opened> {
    device.open_transfer(0, &capsule.manifest, capsule.head)
}

fn send(device: &mut Device, capsule: &Capsule) -> Result<()> {
    open(device, capsule)?;
    for (i, part) in capsule.payload.chunks(64).enumerate() {
        device.write(0, u32::try_from(i * 64).expect("short"), part)?;
    }
    Ok(())
}

fn try_out(device: &mut Device, capsule: &Capsule) -> Result<()> {
    send(device, capsule)?;
    device.activate(0, &capsule.manifest, 3)
}

fn install(device: &mut Device, capsule: &Capsule) -> Result<()> {
    try_out(device, capsule)?;
    device.confirm(0, &capsule.manifest)
}

fn vm1(sequence: u64) -> Capsule {
    capsule("vm1", sequence, 0, 3001)
}

/// The active capsule's sequence number and whether it is confirmed.
fn active(device: &Device) -> Option<(u64, bool)> {
    let active = status(device).active?;
    Some((active.sequence, active.phase == Phase::Confirmed))
}
