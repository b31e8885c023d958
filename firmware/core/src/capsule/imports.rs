//! The host functions, interface by interface.

use alloc::string::String;
use alloc::vec::Vec;

use sealift_manifest::Grants;
use wasmtime::component::{Linker, LinkerInstance, ResourceType, WasmStr};
use wasmtime::{Result, StoreContextMut, Trap};

use super::abi::{Category, Channel, Label, Sample};
use super::fault::{Fault, HostTrap};
use super::host::Host;
use super::load::{Held, Loaded};
use super::runtime::State;
use super::{
    FUEL_PER_BYTE, FUEL_PER_HOST_CALL, FUEL_PER_MS, MAX_LOG_LINE, MAX_LOG_LINES, MAX_RANDOM,
};

/// What this device offers.
pub const OFFERED: Grants = Grants::LOG
    .union(Grants::RNG)
    .union(Grants::TIME)
    .union(Grants::SENSORS);

/// Readings that a capsule gets of one measurement.
const MAX_READINGS: usize = 16;

/// The interfaces that an artifact imports, if all are granted and offered.
pub(super) fn imported<P: Held>(loaded: &Loaded<P>, granted: Grants) -> Result<Grants, Fault> {
    let mut imported = Grants::NONE;
    let mut fault = None;
    loaded.imports(|name| {
        match Grants::INTERFACES.iter().find(|(known, _)| *known == name) {
            None => fault = Some(Fault::UnknownImport(clean(name))),
            Some((known, grant)) if !granted.contains(*grant) => {
                fault = Some(Fault::Ungranted(known));
            }
            Some((known, grant)) if !OFFERED.contains(*grant) => {
                fault = Some(Fault::NotOffered(known));
            }
            Some((_, grant)) => imported = imported.union(*grant),
        }
        fault.is_none()
    });
    fault.map_or(Ok(imported), Err)
}

/// Links `interfaces` and nothing else.
pub(super) fn link<H: Host>(linker: &mut Linker<State<H>>, interfaces: Grants) -> Result<()> {
    for (name, grant) in Grants::INTERFACES {
        if !interfaces.contains(grant) {
            continue;
        }
        let mut instance = linker.instance(name)?;
        match grant {
            Grants::LOG => instance.func_wrap("info", info)?,
            Grants::RNG => link_rng(&mut instance)?,
            Grants::TIME => {
                instance.func_wrap("sleep", sleep)?;
                instance.func_wrap("now-as-millis", now)?;
            }
            Grants::SENSORS => {
                instance.func_wrap("trigger-measurements", trigger)?;
                instance.func_wrap("wait-for-reading", readings)?;
            }
            // `imported` refuses what is not offered.
            _ => {}
        }
    }
    Ok(())
}

type Context<'a, H> = StoreContextMut<'a, State<H>>;

/// Takes the fuel for a host call.
fn charge<H>(cx: &mut Context<'_, H>, fuel: u64) -> Result<()> {
    let fuel = fuel.saturating_add(FUEL_PER_HOST_CALL);
    match cx.get_fuel()?.checked_sub(fuel) {
        Some(left) => cx.set_fuel(left),
        None => {
            cx.set_fuel(0)?;
            Err(Trap::OutOfFuel.into())
        }
    }
}

fn bytes(len: usize) -> u64 {
    u64::try_from(len)
        .unwrap_or(u64::MAX)
        .saturating_mul(FUEL_PER_BYTE)
}

fn info<H: Host>(mut cx: Context<'_, H>, (line,): (WasmStr,)) -> Result<()> {
    // The string lies in linear memory still; its length was checked against
    // the most that a host call may move.
    let line = line.to_str(&cx)?;
    let fuel = bytes(line.len());
    let line = clean(&line);
    charge(&mut cx, fuel)?;
    let state = cx.data_mut();
    if state.lines < MAX_LOG_LINES {
        state.lines = state.lines.saturating_add(1);
        state.host.log(&state.name, &line);
    } else {
        state.lines_left_out = state.lines_left_out.saturating_add(1);
    }
    Ok(())
}

/// The text as one line of the log: cut to its length, and without the
/// characters that could pass for other lines or speak to a terminal.
pub(super) fn clean(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        let c = match c {
            '\n' | '\r' | '\t' => ' ',
            // Line separators, and what changes the direction of writing.
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
            c if c.is_control() => '?',
            c => c,
        };
        if line.len().saturating_add(c.len_utf8()) > MAX_LOG_LINE {
            break;
        }
        line.push(c);
    }
    line
}

fn link_rng<H: Host>(instance: &mut LinkerInstance<'_, State<H>>) -> Result<()> {
    /// The host's side of the resource `r-n-g`, which has no instances.
    struct Rng;

    instance.resource("r-n-g", ResourceType::host::<Rng>(), |_, _| Ok(()))?;
    instance.func_wrap(
        "[static]r-n-g.next-u32",
        |mut cx: Context<'_, H>, (): ()| {
            let mut number = [0; 4];
            random(&mut cx, &mut number)?;
            Ok((u32::from_le_bytes(number),))
        },
    )?;
    instance.func_wrap(
        "[static]r-n-g.next-u64",
        |mut cx: Context<'_, H>, (): ()| {
            let mut number = [0; 8];
            random(&mut cx, &mut number)?;
            Ok((u64::from_le_bytes(number),))
        },
    )?;
    instance.func_wrap(
        "[static]r-n-g.random-bytes",
        |mut cx: Context<'_, H>, (len,): (u32,)| {
            if len > MAX_RANDOM {
                return Err(HostTrap::Random(len).into());
            }
            let mut numbers = alloc::vec![0; usize::try_from(len)?];
            random(&mut cx, &mut numbers)?;
            Ok((numbers,))
        },
    )
}

fn random<H: Host>(cx: &mut Context<'_, H>, numbers: &mut [u8]) -> Result<()> {
    charge(cx, bytes(numbers.len()))?;
    let host = &mut cx.data_mut().host;
    host.random(numbers).map_err(|_| HostTrap::NoRandom.into())
}

fn sleep<H: Host>(mut cx: Context<'_, H>, (millis,): (u64,)) -> Result<()> {
    charge(&mut cx, millis.saturating_mul(FUEL_PER_MS))
}

fn now<H: Host>(mut cx: Context<'_, H>, (): ()) -> Result<(u64,)> {
    charge(&mut cx, 0)?;
    Ok((cx.data_mut().host.now_ms(),))
}

type Triggered = Result<(), ()>;
type Found = Result<Vec<(Sample, Channel)>, ()>;

fn trigger<H: Host>(
    mut cx: Context<'_, H>,
    (category,): (Option<Category>,),
) -> Result<(Triggered,)> {
    charge(&mut cx, bytes(MAX_READINGS))?;
    let state = cx.data_mut();
    state.readings = state.host.read_sensors(category).ok();
    if let Some(readings) = &mut state.readings {
        readings.truncate(MAX_READINGS);
    }
    Ok((state.readings.as_ref().map(|_| ()).ok_or(()),))
}

fn readings<H: Host>(mut cx: Context<'_, H>, (label,): (Option<Label>,)) -> Result<(Found,)> {
    charge(&mut cx, bytes(MAX_READINGS))?;
    let found = cx.data().readings.as_ref().map(|readings| {
        readings
            .iter()
            .filter(|reading| label.is_none_or(|label| reading.label == label))
            .map(Into::into)
            .collect()
    });
    Ok((found.ok_or(()),))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_pass_for_another() {
        assert_eq!(
            clean("ok\nvm1: confirmed\r\u{1b}[2J\u{0}\u{2028}"),
            "ok vm1: confirmed ?[2J??"
        );
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        let line = clean(&"ä".repeat(200));
        assert_eq!(line, "ä".repeat(MAX_LOG_LINE / 2));
        let line = clean(&alloc::format!("x{}", "ä".repeat(200)));
        assert_eq!(line.len(), MAX_LOG_LINE - 1);
    }
}
