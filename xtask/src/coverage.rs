//! `cargo xtask fuzz --coverage`: what of our crates the fuzzers' inputs run.
//!
//! The fuzzers are built with LLVM's source-based coverage beside their own, and run
//! once through what there is of each target: seeds, regressions, and the corpus of
//! earlier fuzzing on this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::fuzzers::Purpose;
use crate::run::{root, run, say, target};
use crate::{fuzz, fuzzers, setup};

/// The crates that are looked at, and where their source is.
const CRATES: [(&str, &str); 9] = [
    ("manifest", "manifest/src/"),
    ("storage", "storage/src/"),
    ("oscore", "oscore/src/"),
    ("wire", "firmware/wire/src/"),
    ("core", "firmware/core/src/"),
    ("engine", "firmware/engine/src/"),
    ("updater", "updater/src/"),
    ("signer", "signer/src/"),
    ("provision", "firmware/provision/src/"),
];

/// Says how many lines and regions of each crate are run, and which functions are not.
///
/// # Errors
///
/// Where the fuzzers do not build, or an input is a finding.
pub(crate) fn coverage(only: Option<&str>) -> Result<()> {
    setup::linker()?;
    setup::libclang()?;
    let tools = setup::llvm_tools()?;
    let names: Vec<&str> = match only {
        Some(name) => vec![name],
        // Those that need minutes to be built are asked for by name.
        None => fuzz::TARGETS
            .into_iter()
            .filter(|name| !fuzz::WITH_COMPILER.contains(name))
            .collect(),
    };
    for name in &names {
        ensure!(fuzz::TARGETS.contains(name), "there is no target {name}");
    }
    let fixtures = fuzz::fixtures()?;
    let compiler = names.iter().any(|name| fuzz::WITH_COMPILER.contains(name));
    let Some(programs) = fuzzers::build(Purpose::Counting, compiler)? else {
        bail!("this needs a nightly compiler: rustup toolchain install nightly");
    };
    let folder = target().join("fuzz/coverage");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove what was counted before")?;
    }
    fs::create_dir_all(&folder).context("cannot make a folder for what is counted")?;
    for name in &names {
        let inputs = inputs(name)?;
        say(&format!("{name}: {} inputs", inputs.len()));
        // A fuzzer takes so many files; each run writes down its own counts.
        for (part, inputs) in inputs.chunks(500).enumerate() {
            let counts = folder.join(format!("{name}-{part}.profraw"));
            let status = Command::new(programs.join(name))
                .args(inputs)
                .env("LLVM_PROFILE_FILE", counts)
                .env(fuzz::FIXTURES, &fixtures)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .with_context(|| format!("cannot start {name}"))?;
            ensure!(status.success(), "{name}: one of its inputs is a finding");
        }
    }
    let merged = folder.join("all.profdata");
    let mut merge = Command::new(tools.join("llvm-profdata"));
    merge.args(["merge", "-sparse"]);
    for entry in fs::read_dir(&folder).context("cannot read what was counted")? {
        merge.arg(entry?.path());
    }
    run(merge.arg("-o").arg(&merged))?;
    let mut export = Command::new(tools.join("llvm-cov"));
    export.args(["export", "-format=text", "-skip-expansions"]);
    export.arg(format!("-instr-profile={}", merged.display()));
    for name in &names {
        export.arg("-object").arg(programs.join(name));
    }
    let output = export.stderr(Stdio::null()).output();
    let output = output.context("cannot start llvm-cov")?;
    ensure!(
        output.status.success(),
        "llvm-cov cannot read what was counted"
    );
    let export = serde_json::from_slice(&output.stdout).context("llvm-cov's own words")?;
    report(export)
}

/// All there is to run of a target.
fn inputs(name: &str) -> Result<Vec<PathBuf>> {
    let fuzz = root().join("fuzz");
    let mut inputs = Vec::new();
    for folder in [
        fuzz.join("seeds").join(name),
        fuzz.join("regressions").join(name),
        target().join("fuzz/corpus").join(name),
    ] {
        if folder.is_dir() {
            for entry in fs::read_dir(&folder).context("cannot read a folder")? {
                inputs.push(entry?.path());
            }
        }
    }
    inputs.sort();
    Ok(inputs)
}

/// What llvm-cov exports, as far as it is used here.
#[derive(Deserialize)]
struct Export {
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<File>,
    functions: Vec<Function>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    lines: Part,
    regions: Part,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Part {
    count: u64,
    covered: u64,
}

#[derive(Deserialize)]
struct Function {
    count: u64,
    filenames: Vec<String>,
    /// First line, then what is not needed here.
    regions: Vec<Vec<i64>>,
}

impl Part {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.covered += other.covered;
    }

    fn percent(self) -> String {
        match (self.covered * 1000).checked_div(self.count) {
            Some(tenths) => format!("{}.{} %", tenths / 10, tenths % 10),
            None => "-".into(),
        }
    }
}

/// Prints the table and the functions that nothing runs.
fn report(export: Export) -> Result<()> {
    println!("| crate | lines | of | regions | of |");
    println!("|---|--:|--:|--:|--:|");
    let data = export.data;
    for (name, folder) in CRATES {
        let (mut lines, mut regions) = (Part::default(), Part::default());
        for file in data.iter().flat_map(|data| &data.files) {
            if within(&file.filename, folder).is_some() {
                lines.add(file.summary.lines);
                regions.add(file.summary.regions);
            }
        }
        println!(
            "| {name} | {} | {} | {} | {} |",
            lines.percent(),
            lines.count,
            regions.percent(),
            regions.count
        );
    }
    // One that is generic, or in several fuzzers, is there more than once.
    let mut runs: BTreeMap<(String, i64), u64> = BTreeMap::new();
    for function in data.iter().flat_map(|data| &data.functions) {
        let line = function.regions.first().and_then(|region| region.first());
        if let (Some(file), Some(line)) = (function.filenames.first(), line) {
            *runs.entry((file.clone(), *line)).or_default() += function.count;
        }
    }
    for (name, folder) in CRATES {
        println!("\n{name}: functions that no input runs");
        for ((file, line), count) in &runs {
            if let (0, Some(short)) = (count, within(file, folder))
                && let Some(function) = function_at(Path::new(file), *line)?
            {
                println!("  {short}:{line} {function}");
            }
        }
    }
    Ok(())
}

/// The path of a file inside of a crate's source.
fn within<'a>(file: &'a str, folder: &str) -> Option<&'a str> {
    let path = Path::new(file).strip_prefix(root()).ok()?.to_str()?;
    path.strip_prefix(folder)
}

/// The name of the function that begins in this line; `None` for what is derived, and
/// for closures.
fn function_at(file: &Path, line: i64) -> Result<Option<String>> {
    let text = fs::read_to_string(file).context("cannot read a source file")?;
    let line = usize::try_from(line)
        .ok()
        .and_then(|line| line.checked_sub(1));
    let text = line
        .and_then(|line| text.lines().nth(line))
        .unwrap_or_default();
    let name = text.split_once("fn ").map(|(_, rest)| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        rest[..end.unwrap_or(rest.len())].to_owned()
    });
    Ok(name.filter(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_added_up() {
        let mut part = Part::default();
        assert_eq!(part.percent(), "-");
        for covered in [1, 0, 1] {
            part.add(Part { count: 1, covered });
        }
        assert_eq!(part.percent(), "66.6 %");
    }

    #[test]
    fn functions_are_found_by_their_line() {
        let file = root().join("xtask/src/coverage.rs");
        let text = fs::read_to_string(&file).unwrap();
        let line = text
            .lines()
            .position(|line| line.starts_with("fn function_at"));
        let line = i64::try_from(line.unwrap()).unwrap() + 1;
        assert_eq!(function_at(&file, line).unwrap().unwrap(), "function_at");
        assert_eq!(function_at(&file, line - 1).unwrap(), None);
        for (_, folder) in CRATES {
            assert!(root().join(folder).is_dir());
        }
    }
}
