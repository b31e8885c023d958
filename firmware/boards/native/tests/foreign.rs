//! Capsules that are not written on the guest SDK: treVM's worlds with plain
//! `wit-bindgen`, and one in C (`capsules/foreign`, which `cargo xtask
//! capsules` builds). Signed and run as they are, by the real programs.

mod common;

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use common::Bench;
use testbed::{Sign, Workshop};

/// Signs an ephemeral capsule as `job.suit`. The fuel lasts for as long as the
/// device lets a capsule wait.
fn job(bench: &Bench, capsule: &str, grants: &[&str]) {
    let sign = Sign {
        capsule,
        component: "vm-run",
        grants,
        extra: &["--ephemeral", "--fuel", "60000000"],
        ..Sign::default()
    };
    bench.sign("job.suit", &sign);
}

/// Runs it; the input says which functions are called.
fn run(bench: &Bench, calls: &str) -> String {
    bench.op(&["run", "job.suit", "--input", calls])
}

/// Installs a persistent capsule as vm1.
fn install(bench: &Bench, capsule: &str, grants: &[&str]) {
    let sign = Sign {
        capsule,
        grants,
        ..Sign::default()
    };
    bench.sign("capsule.suit", &sign);
    bench.op(&["push", "capsule.suit"]);
    bench.op(&["confirm", "vm1"]);
}

fn get(bench: &Bench, path: &str) -> String {
    bench.run("app", &["call", "GET", path]).trim().to_owned()
}

/// Asserts that the capsule refuses what it has no answer to.
fn refuses_others(bench: &Bench, path: &str) {
    let said = bench.refused("app", &["call", "GET", "/vm1/else"]);
    assert!(said.contains("4.04"), "{said}");
    let said = bench.refused("app", &["call", "PUT", path, "--payload", "x"]);
    assert!(said.contains("4.05"), "{said}");
}

#[test]
fn ephemeral_without_bindings() {
    let bench = Bench::new();
    job(&bench, "trevm-fibonacci", &[]);
    let said = run(&bench, "fibonacci 0\nfibonacci 1\nfibonacci 30");
    assert_eq!(said.trim(), "0\n1\n832040");
}

#[test]
fn ephemeral_with_bindings() {
    let bench = Bench::new();
    job(&bench, "trevm-noise", &["log", "rng", "sensors"]);
    assert_eq!(run(&bench, "measure").trim(), "");
    let line = bench.device.wait_for("vm-run: says: roughly ").unwrap();
    let (_, reading) = line.split_once("roughly ").unwrap();
    let value = reading.strip_suffix("e-2 °C").unwrap();
    // The room has 21 to 22 degrees, and the last digit is noise.
    let value: i32 = value.parse().unwrap();
    assert!((2100..2210).contains(&value), "{line}");
}

#[test]
fn persistent_without_bindings() {
    let bench = Bench::new();
    install(&bench, "trevm-numbers", &[]);
    assert_eq!(get(&bench, "/vm1/fibonacci/ten"), "number 10 is 55");
    assert_eq!(get(&bench, "/vm1/fibonacci/twenty"), "number 20 is 6765");
    refuses_others(&bench, "/vm1/fibonacci/ten");
    let said = bench.run("app", &["discover"]);
    for path in ["</vm1/fibonacci/ten>", "</vm1/fibonacci/twenty>"] {
        assert!(said.contains(path), "{said}");
    }
}

#[test]
fn persistent_with_bindings() {
    let bench = Bench::new();
    install(&bench, "trevm-weather", &["log", "rng", "sensors"]);
    for count in 1..4 {
        let said = get(&bench, "/vm1/temperature");
        let value = said.strip_suffix(&format!("e-2 degrees, no. {count}"));
        let value: i32 = value.expect("a reading").parse().unwrap();
        assert!((2100..2210).contains(&value), "{said}");
        bench.device.wait_for(&said).unwrap();
    }
    refuses_others(&bench, "/vm1/temperature");
    let said = bench.run("app", &["discover"]);
    assert!(said.contains("</vm1/temperature>"), "{said}");
}

#[test]
fn the_clock() {
    let bench = Bench::new();
    job(&bench, "trevm-sleeper", &["log", "rng", "time"]);
    let slept: u64 = run(&bench, "nap 30").trim().parse().unwrap();
    assert!(slept >= 30, "{slept}");
    assert_eq!(run(&bench, "run").trim(), "");
    bench.device.wait_for("vm-run: says: rested").unwrap();
}

#[test]
fn the_button_switches_the_light() {
    let workshop = Workshop::furnished().unwrap();
    let (led, button) = (workshop.path("led"), workshop.path("button"));
    let device = workshop.device_with(|options| {
        for (flag, file) in [("--led", &led), ("--button", &button)] {
            options.extra.push(flag.into());
            options.extra.push(file.to_str().unwrap().into());
        }
    });
    let device = device.unwrap();
    let bench = Bench { workshop, device };
    job(&bench, "trevm-blink", &["gpio", "log", "time"]);
    fs::write(&button, "high").unwrap();
    thread::scope(|scope| {
        let running = scope.spawn(|| run(&bench, "blink 1"));
        bench.device.wait_for("press the button").unwrap();
        // It waits, and nobody else does.
        bench.op(&["status"]);
        assert!(!running.is_finished());
        assert!(!led.exists());
        fs::write(&button, "low").unwrap();
        assert_eq!(running.join().unwrap().trim(), "done");
    });
    assert_eq!(fs::read_to_string(&led).unwrap(), "on\n");
    assert_eq!(run(&bench, "blink 3").trim(), "done");
    assert_eq!(fs::read_to_string(&led).unwrap(), "off\n");
}

#[test]
fn without_a_button_there_is_an_error() {
    let bench = Bench::new();
    job(&bench, "trevm-blink", &["gpio", "log", "time"]);
    assert_eq!(run(&bench, "blink 1").trim(), "no button");
}

#[test]
fn datagrams_come_back() {
    const PORT: u16 = 7007;
    let bench = Bench::new();
    let at: SocketAddr = bench.device.address().parse().unwrap();
    let capsule = SocketAddr::new(at.ip(), PORT);
    let here: IpAddr = [127, 0, 0, 1].into();
    let socket = UdpSocket::bind((here, 0)).unwrap();
    let patience = Some(Duration::from_secs(30));
    socket.set_read_timeout(patience).unwrap();

    job(&bench, "trevm-echo", &["log", "time", "udp"]);
    thread::scope(|scope| {
        let running = scope.spawn(|| run(&bench, &format!("bind-socket {PORT}\necho 2")));
        bench.device.wait_for("bound to 7007").unwrap();
        for sent in [&b"there"[..], b"and back again"] {
            socket.send_to(sent, capsule).unwrap();
            let mut buffer = [0; 64];
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], from), (sent, capsule));
        }
        assert_eq!(running.join().unwrap().trim(), "");
    });
    // And the port is free again.
    UdpSocket::bind(capsule).unwrap();
    bench.device.wait_for("14 bytes by IPv4").unwrap();
}

#[test]
fn a_capsule_in_c() {
    let bench = Bench::new();
    install(&bench, "c-thermometer", &["log", "sensors"]);
    bench.device.wait_for("a thermometer in C starts").unwrap();
    for count in 1..4 {
        let said = get(&bench, "/vm1/temperature");
        let degrees = said.strip_suffix(&format!(" °C, no. {count}"));
        let degrees: f32 = degrees.expect("a reading").parse().unwrap();
        assert!((21.0..=22.0).contains(&degrees), "{said}");
        bench.device.wait_for(&said).unwrap();
    }
    refuses_others(&bench, "/vm1/temperature");
    let said = bench.run("app", &["discover"]);
    assert!(said.contains("</vm1/temperature>"), "{said}");
}
