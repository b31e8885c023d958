//! The table for people who read it on a terminal.

use std::fmt::Write;

use crate::{Status, Table, Threat};

/// All threats, a line each, and how many there are of each status.
#[must_use]
pub fn overview(table: &Table) -> String {
    let rows: Vec<[&str; 5]> = table
        .threats
        .iter()
        .map(|threat| {
            [
                threat.id.as_str(),
                threat.status.name(),
                threat.stride.name(),
                threat.boundary.as_str(),
                threat.title.as_str(),
            ]
        })
        .collect();
    let head = ["id", "status", "class", "boundary", "threat"];
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let mut out = String::new();
    for row in [&head].into_iter().chain(&rows) {
        let [id, status, stride, boundary, title] = row;
        let [a, b, c, d] = widths;
        let _ = writeln!(
            out,
            "{id:a$}  {status:b$}  {stride:c$}  {boundary:d$}  {title}"
        );
    }
    let counts = [
        Status::Controlled,
        Status::Accepted,
        Status::Transferred,
        Status::OutOfScope,
    ]
    .map(|status| {
        let of_it = table
            .threats
            .iter()
            .filter(|threat| threat.status == status);
        format!("{} {status}", of_it.count())
    });
    let tests: usize = table.threats.iter().map(|threat| threat.tests.len()).sum();
    let _ = writeln!(
        out,
        "\n{} threats: {}; tests are named {tests} times",
        table.threats.len(),
        counts.join(", ")
    );
    out
}

/// One threat, with all that the table says of it.
#[must_use]
pub fn entry(threat: &Threat) -> String {
    let mut out = format!("{}: {}\n", threat.id, threat.title);
    let _ = writeln!(
        out,
        "{}; {}; asset: {}; boundary: {}",
        threat.status, threat.stride, threat.asset, threat.boundary
    );
    for (name, text) in [
        ("Attack", &threat.attack),
        ("Against it", &threat.mitigation),
        ("Why", &threat.reason),
        ("What is left", &threat.residual),
    ] {
        if !text.is_empty() {
            let _ = writeln!(out, "\n{name}: {}", text.trim());
        }
    }
    for (name, list) in [
        ("RFC 9124", &threat.rfc9124),
        ("Code", &threat.code),
        ("Tests", &threat.tests),
    ] {
        if !list.is_empty() {
            let _ = writeln!(out, "\n{name}:\n  {}", list.join("\n  "));
        }
    }
    out
}
