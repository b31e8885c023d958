//! The store on the mock flash: flash, wear and RAM. All figures are counts,
//! the same on every run.

use anyhow::{Result, anyhow, ensure};
use ed25519_compact::{KeyPair, Seed};
use sealift_manifest::{Grants, InvokeSpec, Kind, ManifestSpec, PublicKey, Sign, build_envelope};
use sealift_storage::sim::{Capsule, MockError, MockFlash};
use sealift_storage::{Error, Layout, Store};

/// Payload of the updates that are counted, bytes.
const PAYLOAD: usize = 40_000;
/// Bytes of a write, as they come in one block of a transfer.
const BLOCK: usize = 1024;
/// Updates that are counted.
const UPDATES: u64 = 100;
/// Changes of state that are counted.
const CHANGES: u32 = 1000;

/// One kind of flash, and what was counted on it.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Boards that have it.
    pub boards: &'static str,
    /// Word, bytes.
    pub word: usize,
    /// Erase page, bytes.
    pub page: usize,
    /// A journal record with its seals, bytes.
    pub record: u64,
    /// Records in a journal page.
    pub records_in_page: u64,
    /// Flash of one component that is not for payload, bytes.
    pub overhead: u32,
    /// Erases of each slot page in 100 updates of 40,000 bytes.
    pub slot_erases: u32,
    /// Erases of the more worn journal page in those, with one restart for
    /// each.
    pub journal_erases: u32,
    /// Erases of the more worn journal page in 1,000 changes of state in one
    /// power session.
    pub change_erases: u32,
    /// The same, with a restart after each.
    pub change_erases_with_restarts: u32,
    /// RAM of one component, bytes, with 64-bit pointers.
    pub ram: usize,
}

/// All figures.
///
/// # Errors
/// Where the store refuses what it should not.
pub fn figures() -> Result<Vec<Figures>> {
    Ok(vec![
        measure::<1, 4096>("RP2040, RP2350 (QSPI, as embassy-rp declares it)")?,
        measure::<4, 4096>("nRF52840")?,
        measure::<8, 2048>("STM32L4, STM32G4")?,
        measure::<16, 8192>("STM32U5")?,
        measure::<256, 4096>("SPI NOR, written by whole pages")?,
    ])
}

/// The figures as a table in Markdown.
///
/// # Errors
/// Where the store refuses what it should not.
pub fn table() -> Result<String> {
    let figures = figures()?;
    let mut table = String::from("| |");
    for f in &figures {
        table += &format!(" {} |", f.boards);
    }
    table += "\n|---|";
    table += &"--:|".repeat(figures.len());
    table += "\n";
    let mut row = |name: &str, value: &dyn Fn(&Figures) -> String| {
        table += &format!("| {name} |");
        for f in &figures {
            table += &format!(" {} |", value(f));
        }
        table += "\n";
    };
    row("word, bytes", &|f| f.word.to_string());
    row("erase page, bytes", &|f| f.page.to_string());
    row("journal record with seals, bytes", &|f| {
        f.record.to_string()
    });
    row("records in a journal page", &|f| {
        f.records_in_page.to_string()
    });
    row("flash overhead of a component, bytes", &|f| {
        f.overhead.to_string()
    });
    row(
        "erases of a slot page in 100 updates of 40,000 bytes",
        &|f| f.slot_erases.to_string(),
    );
    row("erases of a journal page in those", &|f| {
        f.journal_erases.to_string()
    });
    row("erases of a journal page in 1,000 changes of state", &|f| {
        f.change_erases.to_string()
    });
    row("the same with a restart after each", &|f| {
        f.change_erases_with_restarts.to_string()
    });
    row("RAM of a component, bytes", &|f| f.ram.to_string());
    Ok(table)
}

type Device<const WORD: usize, const PAGE: usize> = Store<MockFlash<WORD, PAGE>, 1, WORD>;

fn slot_pages<const PAGE: usize>() -> Result<u16> {
    Ok(u16::try_from((65_536 + 1024_usize).div_ceil(PAGE))?)
}

fn layout<const PAGE: usize>() -> Result<Layout<1>> {
    Ok(Layout::new(0, slot_pages::<PAGE>()?, ["vm1"]))
}

fn new_device<const WORD: usize, const PAGE: usize>() -> Result<Device<WORD, PAGE>> {
    let pages = 2 + 2 * usize::from(slot_pages::<PAGE>()?);
    restart(MockFlash::new(pages))
}

fn restart<const WORD: usize, const PAGE: usize>(
    mut flash: MockFlash<WORD, PAGE>,
) -> Result<Device<WORD, PAGE>> {
    flash.power_on();
    Ok(Store::mount(flash, layout::<PAGE>()?)?)
}

fn measure<const WORD: usize, const PAGE: usize>(boards: &'static str) -> Result<Figures> {
    let record = record::<WORD, PAGE>()?;
    let (slot_erases, journal_erases) = updates::<WORD, PAGE>()?;
    Ok(Figures {
        boards,
        word: WORD,
        page: PAGE,
        record,
        records_in_page: PAGE as u64 / record,
        overhead: overhead::<WORD, PAGE>()?,
        slot_erases,
        journal_erases,
        change_erases: changes::<WORD, PAGE>(false)?,
        change_erases_with_restarts: changes::<WORD, PAGE>(true)?,
        ram: size_of::<Store<(), 2, WORD>>() - size_of::<Store<(), 1, WORD>>(),
    })
}

/// Bytes that one change of state writes. Checks that all kinds write the
/// same.
fn record<const WORD: usize, const PAGE: usize>() -> Result<u64> {
    let mut device = new_device::<WORD, PAGE>()?;
    install(&mut device, &capsule(1, 100)?)?;
    let trial = capsule(2, 100)?;
    send(&mut device, &trial)?;
    let mut costs = Vec::new();
    for change in 0..4 {
        let before = (device.flash().steps(), erases(&device));
        match change {
            0 => device.activate(0, &trial.manifest, 3)?,
            1 => device.begin_attempt(0).map(|_| ())?,
            2 => device.confirm(0, &trial.manifest)?,
            _ => device.rollback(0)?,
        }
        // A page that is erased for the record counts elsewhere.
        let erased = (erases(&device) - before.1) * PAGE as u64;
        costs.push(device.flash().steps() - before.0 - erased);
    }
    let record = costs.first().copied().unwrap_or_default();
    ensure!(costs.iter().all(|cost| *cost == record), "{costs:?}");
    Ok(record)
}

/// Flash of a component less what its two slots take as payload.
fn overhead<const WORD: usize, const PAGE: usize>() -> Result<u32> {
    let mut device = new_device::<WORD, PAGE>()?;
    let capsule = capsule(1, 1_000_000)?;
    let refused = device.open_transfer(0, &capsule.manifest, capsule.head);
    let Err(Error::TooLarge { capacity }) = refused else {
        return Err(anyhow!("not refused: {refused:?}"));
    };
    let size = layout::<PAGE>()?.size(u32::try_from(PAGE)?);
    size.and_then(|size| size.checked_sub(2 * capacity))
        .ok_or_else(|| anyhow!("too large"))
}

/// The most erases of a slot page and of a journal page in updates, each with
/// a restart between activation and confirm.
fn updates<const WORD: usize, const PAGE: usize>() -> Result<(u32, u32)> {
    let mut device = new_device::<WORD, PAGE>()?;
    for sequence in 1..=UPDATES {
        let capsule = capsule(sequence, PAYLOAD)?;
        send(&mut device, &capsule)?;
        device.activate(0, &capsule.manifest, 3)?;
        device = restart(device.into_flash())?;
        device.begin_attempt(0)?;
        device.confirm(0, &capsule.manifest)?;
    }
    let (journal, slots) = device.flash().erases().split_at(2);
    let most = |pages: &[u32]| pages.iter().copied().max().unwrap_or_default();
    Ok((most(slots), most(journal)))
}

/// The most erases of a journal page in changes of state.
fn changes<const WORD: usize, const PAGE: usize>(restarts: bool) -> Result<u32> {
    let mut device = new_device::<WORD, PAGE>()?;
    install(&mut device, &capsule(1, 100)?)?;
    install(&mut device, &capsule(2, 100)?)?;
    let most = |device: &Device<WORD, PAGE>| {
        let journal = device.flash().erases().iter().take(2).copied();
        journal.max().unwrap_or_default()
    };
    let before = most(&device);
    for _ in 0..CHANGES {
        device.rollback(0)?;
        if restarts {
            device = restart(device.into_flash())?;
        }
    }
    Ok(most(&device) - before)
}

fn erases<const WORD: usize, const PAGE: usize>(device: &Device<WORD, PAGE>) -> u64 {
    device.flash().erases().iter().map(|n| u64::from(*n)).sum()
}

fn send<const WORD: usize, const PAGE: usize>(
    device: &mut Device<WORD, PAGE>,
    capsule: &Capsule,
) -> Result<(), Error<MockError>> {
    device.open_transfer(0, &capsule.manifest, capsule.head)?;
    let mut received = 0;
    for block in capsule.payload.chunks(BLOCK) {
        received = device.write(0, received, block)?;
    }
    Ok(())
}

fn install<const WORD: usize, const PAGE: usize>(
    device: &mut Device<WORD, PAGE>,
    capsule: &Capsule,
) -> Result<(), Error<MockError>> {
    send(device, capsule)?;
    device.activate(0, &capsule.manifest, 3)?;
    device.begin_attempt(0)?;
    device.confirm(0, &capsule.manifest)
}

/// A capsule of zeros, signed with a FAKE key.
fn capsule(sequence: u64, len: usize) -> Result<Capsule> {
    let payload = vec![0; len];
    let mut spec = ManifestSpec {
        sequence_number: sequence,
        component: "vm1".into(),
        vendor_id: [1; 16],
        class_id: [2; 16],
        payload_digest: [0; 32],
        payload_size: 0,
        invoke: InvokeSpec {
            profile: "bench".into(),
            fuel: 1000,
            memory: 8192,
            stack: 2048,
            grants: Grants::LOG,
            kind: Kind::Persistent,
            floor: 0,
            source_digest: [3; 32],
            signatures: 1,
        },
    };
    spec.set_payload(&payload)?;
    let key = KeyPair::from_seed(Seed::new([0xFA; 32]));
    let head = build_envelope(&spec, &[&key], None, None)?;
    let anchor = PublicKey::from_bytes(&key.public_key())?;
    Ok(Capsule::new(head, payload, &[anchor])?)
}
