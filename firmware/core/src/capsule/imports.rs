//! The host functions, interface by interface.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use sealift_manifest::Grants;
use wasmtime::component::{Linker, LinkerInstance, ResourceType, WasmStr};
use wasmtime::{Result, StoreContextMut, Trap};

use super::abi::{Category, Channel, Label, Sample};
use super::desk::Desk;
use super::errand::Turn;
use super::fault::{Fault, HostTrap};
use super::load::{Held, Loaded};
use super::runtime::State;
#[cfg(feature = "udp")]
use super::udp;
use super::{FUEL_PER_BYTE, FUEL_PER_HOST_CALL, FUEL_PER_MS, MAX_LOG_LINE, MAX_RANDOM};

/// Readings that a capsule gets of one measurement.
const MAX_READINGS: usize = 16;

/// The interfaces that an artifact imports, if all are granted.
pub(super) fn imported<P: Held>(loaded: &Loaded<P>, granted: Grants) -> Result<Grants, Fault> {
    let mut imported = Grants::NONE;
    let mut fault = None;
    loaded.imports(|name| {
        match Grants::INTERFACES.iter().find(|(known, _)| *known == name) {
            None => fault = Some(Fault::UnknownImport(clean(name))),
            Some((known, grant)) if !granted.contains(*grant) => {
                fault = Some(Fault::Ungranted(known));
            }
            Some((_, grant)) => imported = imported.union(*grant),
        }
        fault.is_none()
    });
    fault.map_or(Ok(imported), Err)
}

/// The interfaces that this build of the core has functions for.
pub(crate) const BUILT: Grants = if cfg!(feature = "udp") {
    Grants::ALL
} else {
    Grants::LOG
        .union(Grants::RNG)
        .union(Grants::TIME)
        .union(Grants::SENSORS)
        .union(Grants::GPIO)
};

/// Links `interfaces`, which are of the [`BUILT`], and nothing else.
pub(super) fn link(linker: &mut Linker<State>, interfaces: Grants) -> Result<()> {
    for (name, grant) in Grants::INTERFACES {
        if !interfaces.contains(grant) {
            continue;
        }
        let mut instance = linker.instance(name)?;
        match grant {
            Grants::LOG => instance.func_wrap_async("info", info)?,
            Grants::RNG => link_rng(&mut instance)?,
            Grants::TIME => {
                instance.func_wrap_async("sleep", sleep)?;
                instance.func_wrap_async("now-as-millis", now)?;
            }
            Grants::SENSORS => {
                instance.func_wrap_async("trigger-measurements", trigger)?;
                instance.func_wrap_async("wait-for-reading", readings)?;
            }
            Grants::GPIO => {
                instance.func_wrap_async("wait-for-button-low", wait_for_button_low)?;
                instance.func_wrap_async("toggle-led", toggle_led)?;
            }
            #[cfg(feature = "udp")]
            Grants::UDP => udp::link(&mut instance)?,
            // Each of the list is one of the above.
            _ => {}
        }
    }
    Ok(())
}

pub(super) type Context<'a> = StoreContextMut<'a, State>;
pub(super) type Reply<'a, R> = Box<dyn Future<Output = Result<R>> + Send + 'a>;

/// Takes the fuel for a host call, and has it done.
pub(super) async fn ask<R: Send + 'static>(
    cx: &mut Context<'_>,
    fuel: u64,
    what: impl FnMut(&mut dyn Desk) -> Turn<R> + Send + 'static,
) -> Result<R> {
    let left = charge(cx, fuel.saturating_add(FUEL_PER_HOST_CALL))?;
    Ok(cx.data().hatch.ask(left, what).await)
}

/// Takes fuel; returns what is left.
fn charge(cx: &mut Context<'_>, fuel: u64) -> Result<u64> {
    let Some(left) = cx.get_fuel()?.checked_sub(fuel) else {
        cx.set_fuel(0)?;
        return Err(Trap::OutOfFuel.into());
    };
    cx.set_fuel(left)?;
    Ok(left)
}

/// Fuel for moving so many bytes.
pub(super) fn bytes(len: usize) -> u64 {
    u64::try_from(len)
        .unwrap_or(u64::MAX)
        .saturating_mul(FUEL_PER_BYTE)
}

fn info(mut cx: Context<'_>, (line,): (WasmStr,)) -> Reply<'_, ()> {
    Box::new(async move {
        // The string lies in linear memory still; its length was checked
        // against the most that a host call may move.
        let (line, fuel) = {
            let line = line.to_str(&cx)?;
            (clean(&line), bytes(line.len()))
        };
        ask(&mut cx, fuel, move |desk| {
            desk.log(&line);
            Turn::Done(())
        })
        .await
    })
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

fn link_rng(instance: &mut LinkerInstance<'_, State>) -> Result<()> {
    /// The host's side of the resource `r-n-g`, which has no instances.
    struct Rng;

    instance.resource("r-n-g", ResourceType::host::<Rng>(), |_, _| Ok(()))?;
    instance.func_wrap_async("[static]r-n-g.next-u32", |cx: Context<'_>, (): ()| {
        Box::new(async move { Ok((u32::from_le_bytes(random(cx).await?),)) })
    })?;
    instance.func_wrap_async("[static]r-n-g.next-u64", |cx: Context<'_>, (): ()| {
        Box::new(async move { Ok((u64::from_le_bytes(random(cx).await?),)) })
    })?;
    instance.func_wrap_async("[static]r-n-g.random-bytes", random_bytes)
}

async fn random<const N: usize>(mut cx: Context<'_>) -> Result<[u8; N]> {
    let numbers = ask(&mut cx, bytes(N), |desk| {
        let mut numbers = [0; N];
        Turn::Done(desk.random(&mut numbers).map(|()| numbers))
    });
    numbers.await?.map_err(|_| HostTrap::NoRandom.into())
}

fn random_bytes(mut cx: Context<'_>, (len,): (u32,)) -> Reply<'_, (Vec<u8>,)> {
    Box::new(async move {
        if len > MAX_RANDOM {
            return Err(HostTrap::Random(len).into());
        }
        let len = usize::try_from(len)?;
        let numbers = ask(&mut cx, bytes(len), move |desk| {
            let mut numbers = alloc::vec![0; len];
            Turn::Done(desk.random(&mut numbers).map(|()| numbers))
        });
        let numbers = numbers.await?.map_err(|_| HostTrap::NoRandom)?;
        Ok((numbers,))
    })
}

fn sleep(mut cx: Context<'_>, (millis,): (u64,)) -> Reply<'_, ()> {
    Box::new(async move {
        let mut until = None;
        ask(&mut cx, millis.saturating_mul(FUEL_PER_MS), move |desk| {
            let now = desk.now_ms();
            let until = *until.get_or_insert(now.saturating_add(millis));
            if now < until {
                return Turn::Waits(Some(until));
            }
            Turn::Done(())
        })
        .await
    })
}

fn now(mut cx: Context<'_>, (): ()) -> Reply<'_, (u64,)> {
    Box::new(async move {
        let now = ask(&mut cx, 0, |desk| Turn::Done(desk.now_ms()));
        Ok((now.await?,))
    })
}

type Triggered = Result<(), ()>;
type Found = Result<Vec<(Sample, Channel)>, ()>;

fn trigger(mut cx: Context<'_>, (category,): (Option<Category>,)) -> Reply<'_, (Triggered,)> {
    Box::new(async move {
        let readings = ask(&mut cx, bytes(MAX_READINGS), move |desk| {
            Turn::Done(desk.read_sensors(category))
        });
        let mut readings = readings.await?.ok();
        if let Some(readings) = &mut readings {
            readings.truncate(MAX_READINGS);
        }
        let triggered = readings.as_ref().map(|_| ()).ok_or(());
        cx.data_mut().readings = readings;
        Ok((triggered,))
    })
}

fn readings(mut cx: Context<'_>, (label,): (Option<Label>,)) -> Reply<'_, (Found,)> {
    Box::new(async move {
        // Nothing to do outside, but a place to let others in.
        ask(&mut cx, bytes(MAX_READINGS), |_| Turn::Done(())).await?;
        let found = cx.data().readings.as_ref().map(|readings| {
            readings
                .iter()
                .filter(|reading| label.is_none_or(|label| reading.label == label))
                .map(Into::into)
                .collect()
        });
        Ok((found.ok_or(()),))
    })
}

/// What the WIT has for an interface without anything behind it.
pub(super) type Done = (Result<(), ()>,);

fn toggle_led(mut cx: Context<'_>, (): ()) -> Reply<'_, Done> {
    Box::new(async move {
        let toggled = ask(&mut cx, 0, |desk| Turn::Done(desk.toggle_led()));
        Ok((toggled.await?.map_err(|_| ()),))
    })
}

fn wait_for_button_low(mut cx: Context<'_>, (): ()) -> Reply<'_, Done> {
    Box::new(async move {
        // No longer than the fuel lasts, as with a sleep; but how much it
        // costs is known only afterwards.
        let patience = cx.get_fuel()?.checked_div(FUEL_PER_MS).unwrap_or(0);
        let mut since = None;
        let waited = ask(&mut cx, 0, move |desk| {
            let now = desk.now_ms();
            let waited = now.saturating_sub(*since.get_or_insert(now));
            match desk.button_low() {
                Ok(false) if waited <= patience => Turn::Waits(None),
                Ok(_) => Turn::Done(Ok(waited)),
                Err(error) => Turn::Done(Err(error)),
            }
        });
        let Ok(waited) = waited.await? else {
            return Ok((Err(()),));
        };
        charge(&mut cx, waited.saturating_mul(FUEL_PER_MS))?;
        Ok((Ok(()),))
    })
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
