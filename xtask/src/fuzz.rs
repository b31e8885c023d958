//! `cargo xtask fuzz`: libFuzzer on the targets in `fuzz/`.
//!
//! Without cargo-fuzz: the flags that it passes are few, it passes them for
//! every crate, and it would have to be built on each machine that tests. The
//! layout is its own, so `cargo fuzz run` works all the same, with
//! AddressSanitizer and more slowly.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context, Result, bail, ensure};

use crate::fuzzers::Purpose;
use crate::run::{cargo, line, root, run, say, target};
use crate::{build, fuzzers, setup};

/// The targets, as in `fuzz/fuzz_targets`.
pub(crate) const TARGETS: [&str; 13] = [
    "datagram",
    "inner",
    "edhoc",
    "oscore_differential",
    "envelope",
    "store",
    "updater",
    "pipeline",
    "trust",
    "hostcalls",
    "validators",
    "translated",
    "signer",
];

/// Those that have a compiler in them. They are built only when they are asked
/// for, by this command: the test command has no minutes for a second Cranelift.
pub(crate) const WITH_COMPILER: [&str; 2] = ["translated", "signer"];

/// Inputs in the test command, of each target: some seconds of each, on a
/// machine that does other things, too.
pub(crate) const SMOKE: [(&str, u32); 11] = [
    ("datagram", 10_000),
    ("inner", 5_000),
    ("edhoc", 5_000),
    ("oscore_differential", 20_000),
    ("envelope", 20_000),
    ("store", 2_000),
    ("updater", 2_000),
    ("pipeline", 300),
    ("trust", 200),
    ("hostcalls", 3_000),
    ("validators", 10_000),
];

/// The pieces that a target's inputs have, as files in `fuzz/`. Those of the store, of
/// the pipeline and of trust records are short numbers, which the fuzzer finds by itself.
const DICTIONARIES: [(&str, &str); 10] = [
    ("datagram", "coap.dict"),
    ("inner", "coap.dict"),
    ("edhoc", "coap.dict"),
    ("oscore_differential", "coap.dict"),
    ("updater", "coap.dict"),
    ("envelope", "suit.dict"),
    ("validators", "suit.dict"),
    ("hostcalls", "hostcalls.dict"),
    ("translated", "wasm.dict"),
    ("signer", "wasm.dict"),
];

/// The variable that tells the harness where the signed capsules are.
pub(crate) const FIXTURES: &str = "SEALIFT_FUZZ_FIXTURES";

/// What libFuzzer is told in every run. An input has ten seconds; the harness
/// itself has a tighter bound on the memory of the device.
const OPTIONS: [&str; 4] = [
    "-max_len=4096",
    "-timeout=10",
    "-rss_limit_mb=1024",
    "-print_final_stats=1",
];

/// Writes the seeds anew.
///
/// # Errors
///
/// Where the program that makes them does not build or run.
pub(crate) fn seeds() -> Result<()> {
    setup::libclang()?;
    // Of the whole workspace, whose Cranelift is there already: with the
    // features of one crate it would be compiled once more.
    let programs = ["write-seeds", "write-wasm-seeds"];
    let oracles = "fuzz-harness/liboscore,fuzz-harness/validators";
    let mut build = cargo();
    build.args(["build", "--locked", "--quiet", "--workspace"]);
    for program in programs {
        build.args(["--bin", program]);
    }
    run(build.args(["--features", oracles]))?;
    for program in programs {
        let program = target().join("debug").join(program);
        run(Command::new(program).arg(root().join("fuzz/seeds")))?;
    }
    Ok(())
}

/// Fuzzes one target, or all of them, for so many minutes each: as many at a
/// time as there are cores.
///
/// # Errors
///
/// Where something was found, or the fuzzers do not build.
pub(crate) fn fuzz(purpose: Purpose, minutes: u64, only: Option<&str>) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs: Vec<&str> = match only {
        None => TARGETS.to_vec(),
        Some(name) => {
            ensure!(
                TARGETS.contains(&name),
                "there is no target {name}; there are {}",
                TARGETS.join(", ")
            );
            // They exchange what they find by their common corpus.
            vec![name; cores]
        }
    };
    setup::linker()?;
    setup::libclang()?;
    let has_compiler = |name: &&str| WITH_COMPILER.contains(name);
    let compiler = jobs.iter().any(has_compiler);
    let fixtures = match jobs.iter().all(has_compiler) {
        // They sign what they need.
        true => target().join("fuzz-fixtures"),
        false => fixtures()?,
    };
    let Some(programs) = fuzzers::build(purpose, compiler)? else {
        bail!("fuzzing needs a nightly compiler: rustup toolchain install nightly");
    };
    say(&format!(
        "fuzzing for {minutes} minutes each: {}",
        jobs.join(", ")
    ));
    let time = format!("-max_total_time={}", minutes.saturating_mul(60));
    let mut options = vec![time.as_str()];
    if purpose == Purpose::Addresses {
        // What is freed is kept for a while, and an alarm that comes while a capsule
        // runs has no room on its stack.
        options.extend(["-rss_limit_mb=4096", "-timeout=0"]);
    }
    let queue = Mutex::new(jobs.iter().enumerate());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().map(|mut queue| queue.next());
                    let Ok(Some((number, name))) = next else {
                        return;
                    };
                    let corpus = target().join("fuzz/corpus").join(name);
                    let log = target().join(format!("fuzz/{name}-{number}.log"));
                    let run = Run {
                        programs: &programs,
                        fixtures: &fixtures,
                        name,
                        corpus: &corpus,
                        log: &log,
                    };
                    let result = run.start(&options);
                    if let Ok(mut results) = results.lock() {
                        results.push((number, *name, result));
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(number, ..)| *number);
    println!("target                executions   per second   edges   findings");
    let mut found = 0;
    for (_, name, result) in results {
        let report = result?;
        let Report { runs, edges, .. } = report;
        let count = report.findings.len();
        println!(
            "{name:<20} {runs:>11} {:>12} {edges:>7} {count:>10}",
            report.per_second
        );
        for finding in &report.findings {
            println!("  {}", finding.display());
        }
        found += count;
    }
    ensure!(
        found == 0,
        "{found} findings: mend, and keep the input in fuzz/regressions"
    );
    Ok(())
}

/// What the smoke runs need: the built fuzzers and the signed capsules.
pub(crate) struct Smoke {
    programs: PathBuf,
    fixtures: PathBuf,
}

impl Smoke {
    /// Builds the fuzzers; `None` where there is no nightly compiler.
    ///
    /// # Errors
    ///
    /// Where they do not build.
    pub(crate) fn prepare(fixtures: &Path) -> Result<Option<Self>> {
        let smoke = |programs| Self {
            programs,
            fixtures: fixtures.to_owned(),
        };
        Ok(fuzzers::build(Purpose::Fuzzing, false)?.map(smoke))
    }

    /// So many inputs of one target, the same each time.
    ///
    /// # Errors
    ///
    /// Where one of them was a finding.
    pub(crate) fn run(&self, name: &str, inputs: u32) -> Result<()> {
        let corpus = target().join("fuzz/smoke").join(name);
        if corpus.exists() {
            fs::remove_dir_all(&corpus).context("cannot remove an old corpus")?;
        }
        let log = target().join(format!("fuzz/{name}-smoke.log"));
        let run = Run {
            programs: &self.programs,
            fixtures: &self.fixtures,
            name,
            corpus: &corpus,
            log: &log,
        };
        let report = run.start(&[&format!("-runs={inputs}"), "-seed=1"])?;
        say(&format!(
            "{name}: {} inputs, {} a second, {} edges",
            report.runs, report.per_second, report.edges
        ));
        ensure!(
            report.findings.is_empty(),
            "found {:?}; the log is {}",
            report.findings,
            log.display()
        );
        ensure!(report.runs >= u64::from(inputs), "it ended too early");
        Ok(())
    }
}

/// Signs capsules for the device under test, which has no compiler; returns
/// the folder with them.
///
/// # Errors
///
/// Where capsules or signer do not build, or the signer refuses.
pub(crate) fn fixtures() -> Result<PathBuf> {
    build::tools()?;
    build::capsules()?;
    let folder = target().join("fuzz-fixtures");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove the old fixtures")?;
    }
    fs::create_dir_all(&folder).context("cannot make a folder for fixtures")?;
    let signer = || {
        let mut signer = Command::new(target().join("debug/signer"));
        signer
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        signer
    };
    say("signing capsules for the fuzzers, and for what counts instructions");
    run(signer().args(["keygen", "--out", "translator.key"]))?;
    let sign = |capsule: &str, out: &str, options: &[&str]| {
        run(signer()
            .arg("sign")
            .arg(target().join("capsules").join(format!("{capsule}.wasm")))
            .args(["--key", "translator.key", "--target", "pulley64"])
            .args(["--fuel", "400000", "--out", out])
            .args(["--grant", "log", "--grant", "rng", "--grant", "sensors"])
            .args(options))
    };
    let vm1 = ["--component", "vm1", "--seq"];
    let vm1_first = [&vm1[..], &["1"]].concat();
    sign("thermometer", "active.suit", &vm1_first)?;
    let next = [&vm1[..], &["2", "--floor", "2"]].concat();
    sign("thermometer-v2", "next.suit", &next)?;
    sign(
        "crasher",
        "other.suit",
        &["--component", "vm2", "--seq", "1"],
    )?;
    let detached = [&vm1[..], &["3", "--detached"]].concat();
    sign("thermometer-v2", "detached.suit", &detached)?;
    sign("crasher-init", "fails.suit", &vm1_first)?;
    let others = ["--grant", "time", "--grant", "gpio", "--grant", "udp"];
    let all = [&vm1_first[..], &others].concat();
    sign("hostile-calls", "hostcalls.suit", &all)?;
    let job = ["--component", "vm-run", "--seq", "1", "--ephemeral"];
    sign("hello", "job.suit", &job)?;
    for name in ["eval-ephemeral", "eval-ephemeral-bindings"] {
        sign(name, &format!("{name}.suit"), &job)?;
    }
    for name in ["eval-persistent", "eval-persistent-bindings"] {
        sign(name, &format!("{name}.suit"), &vm1_first)?;
    }
    Ok(folder)
}

/// One fuzzer at work.
struct Run<'a> {
    programs: &'a Path,
    fixtures: &'a Path,
    name: &'a str,
    corpus: &'a Path,
    log: &'a Path,
}

/// What came of it.
struct Report {
    runs: u64,
    per_second: u64,
    edges: u64,
    findings: Vec<PathBuf>,
}

impl Run<'_> {
    /// Runs it to its end.
    fn start(&self, options: &[&str]) -> Result<Report> {
        let findings = target().join("fuzz/findings").join(self.name);
        fs::create_dir_all(&findings).context("cannot make a folder for findings")?;
        fs::create_dir_all(self.corpus).context("cannot make a folder for the corpus")?;
        let before = files(&findings)?;
        let fuzz = root().join("fuzz");
        let log = fs::File::create(self.log).context("cannot write a log")?;
        let dictionary = DICTIONARIES.iter().find(|(name, _)| *name == self.name);
        let mut command = Command::new(self.programs.join(self.name));
        command
            .args(OPTIONS)
            .args(options)
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .args(dictionary.map(|(_, file)| format!("-dict={}", fuzz.join(file).display())))
            .arg(self.corpus)
            .arg(fuzz.join("seeds").join(self.name))
            .env(FIXTURES, self.fixtures)
            .stdout(Stdio::null())
            .stderr(log);
        let regressions = fuzz.join("regressions").join(self.name);
        if regressions.is_dir() {
            command.arg(regressions);
        }
        let status = command
            .status()
            .with_context(|| format!("cannot start {}", line(&command)))?;
        let said = fs::read_to_string(self.log).context("cannot read a log")?;
        let mut report = Report::read(&said);
        report.findings = files(&findings)?;
        report.findings.retain(|file| !before.contains(file));
        ensure!(
            status.success() || !report.findings.is_empty(),
            "{} ended with {status} and no finding; the log is {}",
            self.name,
            self.log.display()
        );
        Ok(report)
    }
}

impl Report {
    /// What libFuzzer said.
    fn read(said: &str) -> Self {
        let statistic = |name: &str| {
            let mut values = said.lines().filter_map(|line| line.strip_prefix(name));
            values
                .next_back()
                .and_then(|value| value.trim().parse().ok())
        };
        let mut covered = said.lines().filter_map(|line| {
            let (_, rest) = line.split_once(" cov: ")?;
            rest.split_whitespace().next()?.parse().ok()
        });
        Self {
            runs: statistic("stat::number_of_executed_units:").unwrap_or(0),
            per_second: statistic("stat::average_exec_per_sec:").unwrap_or(0),
            edges: covered.next_back().unwrap_or(0),
            findings: Vec::new(),
        }
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).context("cannot read a folder")?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_read_from_libfuzzers_words() {
        let said = "#2\tINITED cov: 7 ft: 8 corp: 1/1b\n\
            #20000\tDONE   cov: 1234 ft: 5678 corp: 90/12Kb lim: 4096 exec/s: 55\n\
            stat::number_of_executed_units: 20000\n\
            stat::average_exec_per_sec:     55\n";
        let report = Report::read(said);
        assert_eq!(
            (report.runs, report.per_second, report.edges),
            (20_000, 55, 1234)
        );
    }

    #[test]
    fn each_target_has_its_program_and_its_seeds() {
        for name in TARGETS {
            let fuzz = root().join("fuzz");
            assert!(fuzz.join(format!("fuzz_targets/{name}.rs")).is_file());
            assert!(!files(&fuzz.join("seeds").join(name)).unwrap().is_empty());
        }
        for (name, dictionary) in DICTIONARIES {
            assert!(TARGETS.contains(&name), "{name}");
            assert!(root().join("fuzz").join(dictionary).is_file());
        }
    }
}
