//! The status of a device, for people and for scripts.

use sealift_wire::{ComponentStatus, DeviceStatus, Phase, Refusal};
use serde::Serialize;

use crate::error::printable;

const HEADINGS: [&str; 8] = [
    "COMPONENT",
    "STATE",
    "SLOT",
    "SEQUENCE",
    "FLOOR",
    "HIGHEST",
    "PREVIOUS",
    "TRANSFER",
];

/// A table with a line for each component, and below it what is known of the
/// capsules that run or have failed.
#[must_use]
pub fn table(components: &[ComponentStatus]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(components.iter().map(row));
    let mut widths = [0; HEADINGS.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    for line in components.iter().flat_map(details) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

fn details(status: &ComponentStatus) -> Vec<String> {
    let name = printable(status.name.as_bytes());
    let mut lines = Vec::new();
    let figure = |value: Option<u64>| value.map_or("?".into(), |value| value.to_string());
    let doing = match (status.running, status.uptime) {
        (true, Some(seconds)) => Some(format!("running for {seconds} s")),
        // Until the next call starts it again.
        _ => status.fuel_last.map(|_| "not running".into()),
    };
    if let Some(doing) = doing {
        lines.push(format!(
            "{name}: {doing}, start {}; fuel {} (most {}); memory {} bytes (most {})",
            figure(status.starts.map(u64::from)),
            figure(status.fuel_last),
            figure(status.fuel_max),
            figure(status.memory.map(u64::from)),
            figure(status.memory_max.map(u64::from)),
        ));
    }
    if let Some(number) = status.last_fault {
        let text = Refusal::from_number(number).map_or("unknown", Refusal::text);
        let cause = status.last_cause.as_deref().unwrap_or(text);
        // A cause that is a refusal itself ends with its number.
        let cause = cause.strip_suffix(&format!(" [{number}]")).unwrap_or(cause);
        let cause = printable(cause.as_bytes());
        lines.push(format!("{name}: last stopped because: {cause} [{number}]"));
    }
    lines
}

/// One line on a component, such as `vm1: sequence 7, trial (3 starts left)`.
#[must_use]
pub fn summary(status: &ComponentStatus) -> String {
    let name = printable(status.name.as_bytes());
    match status.sequence {
        Some(sequence) => format!("{name}: sequence {sequence}, {}", state(status)),
        None => format!("{name}: {}", state(status)),
    }
}

/// The whole status as JSON.
///
/// # Errors
///
/// None in practice: everything in it can be written as JSON.
pub fn device_json(status: &DeviceStatus) -> serde_json::Result<String> {
    json(&DeviceJson {
        profile: &status.profile,
        vendor_id: hex::encode(status.vendor_id),
        class_id: hex::encode(status.class_id),
        uptime: status.uptime,
        trust: status.trust,
        components: status.components.iter().map(ComponentJson::new).collect(),
    })
}

/// The status of one component as JSON.
///
/// # Errors
///
/// As [`device_json`].
pub fn component_json(status: &ComponentStatus) -> serde_json::Result<String> {
    json(&ComponentJson::new(status))
}

/// What a resource answered, for a terminal: text, or else hexadecimal.
#[must_use]
pub fn body(bytes: &[u8]) -> String {
    // Others than these two move the cursor over what is there.
    let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    let text = std::str::from_utf8(bytes).map(|text| text.replace("\r\n", "\n"));
    match text {
        Ok(text) if text.chars().all(plain) => text.strip_suffix('\n').unwrap_or(&text).to_owned(),
        _ => hex::encode(bytes),
    }
}

/// JSON that cannot steer a terminal: of the control characters, the format itself
/// escapes only those under U+0020. The others can stand in its strings alone.
fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut out = String::new();
    for c in serde_json::to_string_pretty(value)?.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    Ok(out)
}

fn row(status: &ComponentStatus) -> [String; HEADINGS.len()] {
    [
        printable(status.name.as_bytes()),
        state(status),
        slot(status).unwrap_or("-").to_owned(),
        number(status.sequence),
        status.floor.to_string(),
        status.highest.to_string(),
        number(status.previous),
        status.transfer.as_ref().map_or("-".into(), |open| {
            format!(
                "{} of {} bytes of sequence {}",
                open.received, open.size, open.sequence
            )
        }),
    ]
}

fn number(value: Option<u64>) -> String {
    value.map_or("-".into(), |value| value.to_string())
}

fn slot(status: &ComponentStatus) -> Option<&'static str> {
    match status.slot {
        None => None,
        Some(0) => Some("A"),
        Some(1) => Some("B"),
        Some(_) => Some("?"),
    }
}

fn phase(status: &ComponentStatus) -> &'static str {
    match status.phase {
        Phase::Empty => "empty",
        Phase::Trial => "trial",
        Phase::Confirmed => "confirmed",
    }
}

fn state(status: &ComponentStatus) -> String {
    match status.tries_left {
        Some(1) => format!("{} (1 start left)", phase(status)),
        Some(left) => format!("{} ({left} starts left)", phase(status)),
        None => phase(status).to_owned(),
    }
}

#[derive(Serialize)]
struct DeviceJson<'a> {
    profile: &'a str,
    vendor_id: String,
    class_id: String,
    uptime: Option<u64>,
    trust: Option<u64>,
    components: Vec<ComponentJson<'a>>,
}

#[derive(Serialize)]
struct ComponentJson<'a> {
    name: &'a str,
    state: &'static str,
    slot: Option<&'static str>,
    sequence: Option<u64>,
    floor: u64,
    highest: u64,
    previous: Option<u64>,
    tries_left: Option<u8>,
    transfer: Option<TransferJson>,
    running: bool,
    last_fault: Option<FaultJson<'a>>,
    fuel_last: Option<u64>,
    fuel_max: Option<u64>,
    memory: Option<u32>,
    memory_max: Option<u32>,
    starts: Option<u32>,
    uptime: Option<u64>,
}

#[derive(Serialize)]
struct TransferJson {
    sequence: u64,
    received: u32,
    size: u32,
    digest: String,
}

#[derive(Serialize)]
struct FaultJson<'a> {
    number: u8,
    text: Option<&'static str>,
    cause: Option<&'a str>,
}

impl<'a> ComponentJson<'a> {
    fn new(status: &'a ComponentStatus) -> Self {
        Self {
            name: &status.name,
            state: phase(status),
            slot: slot(status),
            sequence: status.sequence,
            floor: status.floor,
            highest: status.highest,
            previous: status.previous,
            tries_left: status.tries_left,
            transfer: status.transfer.as_ref().map(|open| TransferJson {
                sequence: open.sequence,
                received: open.received,
                size: open.size,
                digest: hex::encode(open.digest),
            }),
            running: status.running,
            last_fault: status.last_fault.map(|number| FaultJson {
                number,
                text: Refusal::from_number(number).map(Refusal::text),
                cause: status.last_cause.as_deref(),
            }),
            fuel_last: status.fuel_last,
            fuel_max: status.fuel_max,
            memory: status.memory,
            memory_max: status.memory_max,
            starts: status.starts,
            uptime: status.uptime,
        }
    }
}

#[cfg(test)]
mod tests {
    use sealift_wire::Transfer;

    use super::*;

    fn components() -> Vec<ComponentStatus> {
        let empty = ComponentStatus {
            name: "vm1".into(),
            phase: Phase::Empty,
            slot: None,
            sequence: None,
            highest: 0,
            floor: 0,
            previous: None,
            tries_left: None,
            transfer: Some(Transfer {
                sequence: 7,
                received: 4096,
                size: 9000,
                digest: [0xab; 32],
            }),
            running: false,
            last_fault: None,
            fuel_last: None,
            memory: None,
            fuel_max: None,
            memory_max: None,
            starts: None,
            uptime: None,
            last_cause: None,
        };
        let trial = ComponentStatus {
            name: "vm2\x1b".into(),
            phase: Phase::Trial,
            slot: Some(1),
            sequence: Some(12),
            highest: 12,
            floor: 3,
            previous: Some(11),
            tries_left: Some(2),
            transfer: None,
            running: true,
            last_fault: Some(60),
            last_cause: Some("trapped\x1b".into()),
            fuel_last: Some(12),
            fuel_max: Some(34),
            memory: Some(8192),
            memory_max: Some(8448),
            starts: Some(2),
            uptime: Some(60),
        };
        vec![empty, trial]
    }

    #[test]
    fn the_table_is_aligned() {
        assert_eq!(
            table(&components()),
            "\
COMPONENT  STATE                  SLOT  SEQUENCE  FLOOR  HIGHEST  PREVIOUS  TRANSFER
vm1        empty                  -     -         0      0        -         4096 of 9000 bytes of sequence 7
vm2\u{fffd}       trial (2 starts left)  B     12        3      12       11        -
vm2\u{fffd}: running for 60 s, start 2; fuel 12 (most 34); memory 8192 bytes (most 8448)
vm2\u{fffd}: last stopped because: trapped\u{fffd} [60]
"
        );
    }

    #[test]
    fn the_number_of_a_fault_is_there_once() {
        for refusal in Refusal::ALL {
            let mut status = components().remove(1);
            status.last_fault = Some(refusal.number());
            for cause in [None, Some(refusal.to_string())] {
                status.last_cause = cause;
                let said = details(&status).pop().unwrap();
                let expected = format!("vm2\u{fffd}: last stopped because: {refusal}");
                assert_eq!(said, expected);
            }
        }
    }

    #[test]
    fn json_names_what_the_table_abbreviates() {
        let status = DeviceStatus {
            profile: "p".into(),
            vendor_id: [1; 16],
            class_id: [2; 16],
            uptime: Some(1),
            trust: Some(3),
            components: components(),
        };
        let json: serde_json::Value = serde_json::from_str(&device_json(&status).unwrap()).unwrap();
        assert_eq!(json["class_id"], "02020202020202020202020202020202");
        assert_eq!(json["trust"], 3);
        assert_eq!(json["components"][0]["state"], "empty");
        assert_eq!(json["components"][0]["transfer"]["received"], 4096);
        assert_eq!(json["components"][0]["sequence"], serde_json::Value::Null);
        assert_eq!(
            json["components"][1]["last_fault"]["text"],
            "the capsule trapped"
        );
        let one = component_json(&status.components[1]).unwrap();
        let one: serde_json::Value = serde_json::from_str(&one).unwrap();
        assert_eq!(one, json["components"][1]);
    }

    #[test]
    fn json_has_no_control_characters_and_loses_none() {
        let name: String = (0..=0xa0).filter_map(char::from_u32).collect();
        let component = ComponentStatus {
            name: name.clone(),
            last_cause: Some(name.clone()),
            ..components().swap_remove(1)
        };
        let device = DeviceStatus {
            profile: name.clone(),
            vendor_id: [1; 16],
            class_id: [2; 16],
            uptime: None,
            trust: None,
            components: vec![component.clone()],
        };
        let read = |text: String| -> serde_json::Value {
            assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
            assert!(text.contains("\\u007f") && text.contains("\\u009f\u{a0}"));
            serde_json::from_str(&text).unwrap()
        };
        let json = read(device_json(&device).unwrap());
        assert_eq!(json["profile"], name);
        assert_eq!(json["components"][0]["last_fault"]["cause"], name);
        assert_eq!(read(component_json(&component).unwrap())["name"], name);
    }

    #[test]
    fn a_body_is_text_or_hexadecimal() {
        assert_eq!(body(b"21.5\tC\nfine\n"), "21.5\tC\nfine");
        assert_eq!(body(b"21.5\r\nfine\r\n"), "21.5\nfine");
        assert_eq!(body("\u{b0}C \u{2713}".as_bytes()), "\u{b0}C \u{2713}");
        assert_eq!(body(b""), "");
        assert_eq!(body(b"\xff\x00"), "ff00");
        for c in (0..=0x9f).filter_map(char::from_u32) {
            let text = format!("a{c}b");
            let plain = matches!(c, '\n' | '\t' | ' '..='~');
            let expected = match plain {
                true => text.clone(),
                false => hex::encode(&text),
            };
            assert_eq!(body(text.as_bytes()), expected);
        }
    }
}
