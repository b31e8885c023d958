//! `cargo xtask size`: how much flash and RAM an image takes, held against the
//! ceilings beside it.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind};
use serde::Deserialize;
use testbed::{Board, Code, Device, RawPeer, Sign, Workshop};

use crate::image::Image;
use crate::run::{root, say};
use crate::{bytes, floats, image};

/// Requests to a capsule after which memory is looked at.
const REQUESTS: usize = 1000;
/// What a board says in its log of the memory that it has used.
const MEMORY: &str = "memory: heap";

/// The most that an image may take, in bytes: `ceilings.toml` of a board.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ceilings {
    /// Code, constants and initial values.
    flash: u64,
    /// Static, heap and stack at their highest; for a real board, which nothing
    /// runs here, static alone.
    ram: u64,
    /// The same of the image without capsules that run once; nothing where that is
    /// not built.
    persistent: Option<Persistent>,
}

/// See [`Ceilings`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Persistent {
    flash: u64,
    ram: u64,
}

/// What lies where in an image, in bytes.
#[derive(Debug)]
struct Sections {
    code: u64,
    constants: u64,
    /// Initial values, and code that runs from RAM.
    initialised: u64,
    zero: u64,
    /// Of `zero`, the memory that the heap is given.
    heap: u64,
}

/// Heap and stack at their highest so far.
#[derive(Clone, Copy, Debug, Default)]
struct Peaks {
    heap: u64,
    stack: u64,
}

/// Builds the image, drives it if something can run it, prints what it takes,
/// and fails if that is over a ceiling.
pub(crate) fn size(image: &Image) -> Result<()> {
    if image.emulator.is_some() {
        crate::build::everything()?;
    }
    build(image)?;
    held(image)
}

/// Builds the image, and without jobs as well if there are ceilings for that.
pub(crate) fn build(image: &Image) -> Result<()> {
    image.build()?;
    if ceilings(image)?.persistent.is_some() {
        image.build_persistent()?;
    }
    Ok(())
}

/// Builds, lints and measures the boards that nothing runs here.
pub(crate) fn boards() -> Result<()> {
    for image in &image::REAL {
        image.lint()?;
        size(image)?;
    }
    Ok(())
}

/// As [`size`], of what is built.
pub(crate) fn held(image: &Image) -> Result<()> {
    let Ceilings {
        flash,
        ram,
        persistent,
    } = ceilings(image)?;
    measure(image, image::images(), flash, ram)?;
    if let Some(Persistent { flash, ram }) = persistent {
        println!("without capsules that run once:");
        measure(image, image::persistent(), flash, ram)?;
    }
    Ok(())
}

fn ceilings(image: &Image) -> Result<Ceilings> {
    let file = root().join(image.folder).join("ceilings.toml");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(toml::from_str(&text)?)
}

/// Prints what the image of this folder takes, and holds it against ceilings.
fn measure(image: &Image, folder: PathBuf, most_flash: u64, most_ram: u64) -> Result<()> {
    let bytes = fs::read(folder.join(image.package))?;
    let file = object::File::parse(&*bytes)?;
    if file.architecture() == object::Architecture::Arm {
        floats::stay_where_they_are(&file)?;
    }
    let sections = sections(&file, &image.ram)?;
    let moments = match &image.emulator {
        Some(emulator) => {
            say(&format!("driving the board {}", image.name));
            drive(emulator.board, folder)?
        }
        None => Vec::new(),
    };

    let flash = sections.code + sections.constants + sections.initialised;
    let fixed = sections.initialised + sections.zero - sections.heap;
    bytes::print(&file);
    println!("{} bytes of code", sections.code);
    println!("{} of constants", sections.constants);
    println!("{} of initial values", sections.initialised);
    println!("{flash} of flash; the ceiling is {most_flash}");
    println!("{fixed} of static RAM, and {} for a heap", sections.heap);
    let mut ram = fixed;
    for (moment, Peaks { heap, stack }) in moments {
        ram = fixed + heap + stack;
        println!("{heap} of heap and {stack} of stack at the most, {ram} of RAM, {moment}");
    }
    println!("{ram} of RAM; the ceiling is {most_ram}");
    ensure!(flash <= most_flash, "more flash than the ceiling");
    ensure!(ram <= most_ram, "more RAM than the ceiling");
    Ok(())
}

fn sections(file: &object::File<'_>, ram: &Range<u64>) -> Result<Sections> {
    let mut sections = Sections {
        code: 0,
        constants: 0,
        initialised: 0,
        zero: 0,
        heap: 0,
    };
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else {
            continue;
        };
        if sh_flags & u64::from(object::elf::SHF_ALLOC) == 0 {
            continue;
        }
        // What is left of the RAM, which is measured otherwise.
        if section.name() == Ok(".stack") {
            continue;
        }
        let in_ram = ram.contains(&section.address());
        let place = match section.kind() {
            SectionKind::UninitializedData if in_ram => &mut sections.zero,
            // Room that is left free between others.
            SectionKind::UninitializedData => continue,
            _ if in_ram => &mut sections.initialised,
            SectionKind::Text => &mut sections.code,
            _ => &mut sections.constants,
        };
        *place += section.size();
    }
    // The board's `MEMORY`, as `sealift_mcu::heap::give` is given it.
    let heap = file
        .symbols()
        .find(|symbol| symbol.name().is_ok_and(|name| name.contains("6MEMORY")))
        .context("the image has no symbol for the memory of its heap")?;
    sections.heap = heap.size();
    Ok(sections)
}

/// Memory at the stations of a device's life.
fn drive(board: Board, images: PathBuf) -> Result<Vec<(&'static str, Peaks)>> {
    let workshop = Workshop::furnished_for(board)?.with_images(images);
    let device = workshop.device()?;
    device.wait_for(MEMORY)?;
    let mut moments = vec![("after the start", peaks(&device)?)];
    let mut op = RawPeer::new(&workshop, &device, "op")?;
    op.connect()?;
    op.request(Code::GET, "vm-control", None, &[])?;
    moments.push(("after a key exchange", peaks(&device)?));

    let run = |args: &[&str]| workshop.updater(&device, "op", args)?.success();
    workshop.sign("v1.suit", &Sign::default())?.success()?;
    run(&["push", "v1.suit"])?;
    run(&["confirm", "vm1"])?;
    moments.push(("after a first capsule", peaks(&device)?));
    let v2 = Sign {
        capsule: "thermometer-v2",
        sequence: 2,
        ..Sign::default()
    };
    workshop.sign("v2.suit", &v2)?.success()?;
    run(&["push", "v2.suit"])?;
    run(&["confirm", "vm1"])?;
    moments.push(("after an update", peaks(&device)?));

    let mut app = RawPeer::new(&workshop, &device, "app")?;
    app.connect()?;
    for _ in 0..REQUESTS {
        let answer = app.request(Code::GET, "vm1/temperature", None, &[])?;
        ensure!(answer.code == Code::CONTENT, "{}", answer.code);
    }
    moments.push(("after 1,000 requests", peaks(&device)?));
    Ok(moments)
}

/// How long a board may take to say what an answer that it sent has cost.
const SETTLED: Duration = Duration::from_millis(300);

/// What the log last said of memory.
fn peaks(device: &Device) -> Result<Peaks> {
    device.wait_for("memory: heap")?;
    std::thread::sleep(SETTLED);
    let log = device.log();
    let line = log.lines().rfind(|line| line.contains(MEMORY));
    let line = line.context("the log says nothing of memory")?;
    let after = |words: &str| {
        let (_, rest) = line.split_once(words).context(line.to_owned())?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
        Ok::<u64, anyhow::Error>(digits.unwrap_or_default().parse()?)
    };
    Ok(Peaks {
        heap: after("bytes, at most ")?,
        stack: after("stack at most ")?,
    })
}
