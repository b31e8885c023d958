//! What `updater status` says of a capsule that runs, grows, fails and is
//! started again.

mod common;

use common::Bench;
use serde_json::Value;
use testbed::Sign;

const FUEL: u64 = 1_000_000;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.install(&Sign {
        capsule: "probe-counter",
        grants: &[],
        extra: &["--fuel", "1000000"],
        ..Sign::default()
    });
    bench
}

fn number(status: &Value, field: &str) -> u64 {
    let number = status[field].as_u64();
    number.unwrap_or_else(|| panic!("no {field} in {status}"))
}

/// The lines about a component below the table.
fn lines(bench: &Bench) -> Vec<String> {
    let text = bench.op(&["status", "vm1"]);
    let about = text.lines().filter(|line| line.starts_with("vm1:"));
    about.map(str::to_owned).collect()
}

#[test]
fn a_capsule_that_runs() {
    let bench = bench();
    let start = bench.status("vm1");
    assert_eq!(start["running"], true);
    assert_eq!(number(&start, "starts"), 1);
    assert_eq!(start["last_fault"], Value::Null);
    assert!(start["uptime"].is_u64());
    let (fuel, memory) = (number(&start, "fuel_last"), number(&start, "memory"));
    assert_eq!(number(&start, "fuel_max"), fuel);
    assert!(number(&start, "memory_max") >= memory);

    bench.run("app", &["call", "POST", "/vm1/grow"]);
    bench.run("app", &["call", "GET", "/vm1/count"]);
    let now = bench.status("vm1");
    assert_ne!(number(&now, "fuel_last"), fuel);
    assert!(number(&now, "fuel_max") >= number(&now, "fuel_last"));
    assert_eq!(number(&now, "memory"), memory + 4096);
    assert!(number(&now, "memory_max") >= memory + 4096);

    let [line] = &lines(&bench)[..] else {
        panic!("{:?}", lines(&bench));
    };
    let figures = format!(
        "start 1; fuel {} (most {}); memory {} bytes (most {})",
        number(&now, "fuel_last"),
        number(&now, "fuel_max"),
        number(&now, "memory"),
        number(&now, "memory_max")
    );
    assert!(line.starts_with("vm1: running for "), "{line}");
    assert!(line.ends_with(&figures), "{line}");
    // That of the whole device has it, too.
    let all: Value = serde_json::from_str(&bench.op(&["status", "--json"])).unwrap();
    assert!(all["uptime"].is_u64());
    assert_eq!(all["components"][0]["memory"], now["memory"]);
}

#[test]
fn a_capsule_that_failed() {
    let bench = bench();
    let memory = number(&bench.status("vm1"), "memory");
    bench.run("app", &["call", "POST", "/vm1/grow"]);
    bench.refused("app", &["call", "POST", "/vm1/crash"]);
    let failed = bench.status("vm1");
    assert_eq!(failed["running"], false);
    assert_eq!(failed["uptime"], Value::Null);
    assert_eq!(failed["last_fault"]["number"], 60);
    assert_eq!(failed["last_fault"]["text"], "the capsule trapped");
    let cause = failed["last_fault"]["cause"].as_str().unwrap();
    assert!(cause.contains("`unreachable`"), "{cause}");
    // Which function it was.
    let (_, function) = cause.split_once(", in function ").unwrap();
    assert!(function.parse::<u32>().is_ok(), "{cause}");
    // What it had when it ended.
    assert_eq!(number(&failed, "memory"), memory + 4096);
    assert!(number(&failed, "fuel_last") > 0);
    let said = lines(&bench);
    assert!(
        said[0].starts_with("vm1: not running, start 1; fuel "),
        "{said:?}"
    );
    assert_eq!(said[1], format!("vm1: last stopped because: {cause} [60]"));

    // The next call starts it anew: its usage is new, the cause stays.
    bench.run("app", &["call", "GET", "/vm1/count"]);
    let again = bench.status("vm1");
    assert_eq!(again["running"], true);
    assert_eq!(number(&again, "starts"), 2);
    assert_eq!(number(&again, "memory"), memory);
    assert_eq!(again["last_fault"], failed["last_fault"]);

    bench.refused("app", &["call", "POST", "/vm1/spin"]);
    let spun = bench.status("vm1");
    assert_eq!(spun["last_fault"]["number"], 61);
    let cause = spun["last_fault"]["cause"].as_str().unwrap();
    assert!(
        cause.starts_with("used up its fuel, in function "),
        "{cause}"
    );
    assert_eq!(number(&spun, "fuel_last"), FUEL);
    assert_eq!(number(&spun, "fuel_max"), FUEL);

    // A device that starts has counted nothing yet.
    let bench = bench.restart();
    let fresh = bench.status("vm1");
    assert_eq!(number(&fresh, "starts"), 1);
    assert_eq!(fresh["last_fault"], Value::Null);
}
