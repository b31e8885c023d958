//! What the capsule tests share: capsules made from a few lines of text, the
//! way from there to a verified payload, and a board that remembers.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use ed25519_compact::{KeyPair, Seed};
use sealift_core::capsule::{
    Accuracy, Activity, Answer, ArtifactBytes, Called, Category, Datagram, Ephemeral, Fault, Host,
    Label, Persistent, Quota, Reading, Unavailable, Unit, Usage, check,
};
use sealift_engine::{HOST, seal, translator_config};
use sealift_manifest::{
    Grants, InvokeSpec, Kind, Manifest, ManifestSpec, Payload, PublicKey, Scan, Sign, Verified,
    build_envelope, scan_head, verify,
};
use wasmtime::Engine;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

/// A board of which a test can see what was asked of it.
#[derive(Clone, Default)]
pub(crate) struct Board(Rc<RefCell<Services>>);

#[derive(Default)]
pub(crate) struct Services {
    pub(crate) log: Vec<String>,
    pub(crate) random: Vec<usize>,
    pub(crate) clock: u64,
    pub(crate) measured: Vec<Option<Category>>,
    pub(crate) no_random: bool,
    /// How often it was asked for the time or a measurement; each log line
    /// asks for the time.
    pub(crate) asked: u64,
    /// Whether there is a light, and whether it is on.
    pub(crate) light: Option<bool>,
    /// Whether there is a button, and whether it is low.
    pub(crate) button: Option<bool>,
    /// The port that was bound; 7 cannot be had.
    pub(crate) port: Option<u16>,
    pub(crate) sent: Vec<(Vec<u8>, SocketAddr)>,
    pub(crate) arrived: Vec<Datagram>,
    /// How often a port was bound, or was tried to be.
    pub(crate) binds: usize,
}

impl Board {
    pub(crate) fn log(&self) -> Vec<String> {
        self.0.borrow().log.clone()
    }

    pub(crate) fn services(&self) -> std::cell::RefMut<'_, Services> {
        self.0.borrow_mut()
    }
}

impl Host for Board {
    fn log(&mut self, capsule: &str, line: &str) {
        self.services().log.push(format!("{capsule}: {line}"));
    }

    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable> {
        self.services().random.push(bytes.len());
        bytes.fill(4);
        if self.services().no_random {
            return Err(Unavailable);
        }
        Ok(())
    }

    fn now_ms(&mut self) -> u64 {
        let mut services = self.services();
        services.asked += 1;
        services.clock
    }

    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        self.services().measured.push(category);
        self.services().asked += 1;
        match category {
            None | Some(Category::Temperature) => Ok(vec![Reading {
                value: 2157,
                scaling: -2,
                unit: Unit::Celsius,
                label: Label::Temperature,
                accuracy: Accuracy::Unknown,
            }]),
            Some(_) => Err(Unavailable),
        }
    }

    fn toggle_led(&mut self) -> Result<(), Unavailable> {
        let mut services = self.services();
        let light = services.light.as_mut().ok_or(Unavailable)?;
        *light = !*light;
        Ok(())
    }

    fn button_low(&mut self) -> Result<bool, Unavailable> {
        self.services().button.ok_or(Unavailable)
    }

    fn udp_bind(&mut self, port: u16) -> Result<(), Unavailable> {
        let free = port != 7;
        self.services().binds += 1;
        self.services().port = free.then_some(port);
        free.then_some(()).ok_or(Unavailable)
    }

    fn udp_send(&mut self, data: &[u8], to: SocketAddr) -> Result<(), Unavailable> {
        let mut services = self.services();
        services.port.ok_or(Unavailable)?;
        services.sent.push((data.to_vec(), to));
        Ok(())
    }

    fn udp_receive(&mut self) -> Result<Option<Datagram>, Unavailable> {
        let mut services = self.services();
        services.port.ok_or(Unavailable)?;
        Ok(services.arrived.pop())
    }
}

/// A payload and what its manifest says.
pub(crate) struct Capsule {
    pub(crate) artifact: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) grants: Grants,
    pub(crate) fuel: u64,
    pub(crate) memory: u32,
    pub(crate) stack: u32,
}

impl Capsule {
    /// A capsule from a component, with the names that a translator gives it and
    /// none of its checks.
    pub(crate) fn of_component(component: &[u8], kind: Kind) -> Self {
        let engine = Engine::new(&translator_config(HOST)).unwrap();
        let slim = signer::slim(component).unwrap();
        Self::sealed(engine.precompile_component(&slim).unwrap(), kind)
    }

    /// A capsule of an artifact, which gets the seal that this machine looks
    /// for.
    pub(crate) fn sealed(mut artifact: Vec<u8>, kind: Kind) -> Self {
        seal(HOST, &mut artifact).unwrap();
        Self {
            artifact,
            kind,
            grants: Grants::NONE,
            fuel: sealift_engine::DEFAULT_FUEL,
            memory: sealift_engine::DEFAULT_MEMORY,
            stack: sealift_engine::DEFAULT_STACK,
        }
    }

    pub(crate) fn grant(mut self, grants: Grants) -> Self {
        self.grants = self.grants.union(grants);
        self
    }

    /// Signs, verifies, and admits the payload as a device does.
    pub(crate) fn with<R>(
        &self,
        then: impl FnOnce(&Verified<Manifest<'_>>, Verified<Payload<ArtifactBytes>>) -> R,
    ) -> R {
        let envelope = self.envelope();
        let Scan::Complete { head_len, .. } = scan_head(&envelope).unwrap() else {
            panic!("the head is not complete");
        };
        let key = fake_key();
        let anchor = PublicKey::from_bytes(&key.pk).unwrap();
        let manifest = verify(&envelope[..head_len], &[anchor]).unwrap();
        let payload = manifest
            .admit(ArtifactBytes::copy(&self.artifact).unwrap())
            .unwrap();
        then(&manifest, payload)
    }

    fn envelope(&self) -> Vec<u8> {
        let mut spec = ManifestSpec {
            sequence_number: 1,
            component: "vm1".into(),
            vendor_id: sealift_engine::DEFAULT_VENDOR_ID,
            class_id: sealift_engine::DEFAULT_CLASS_ID,
            payload_digest: [0; 32],
            payload_size: 0,
            invoke: InvokeSpec {
                profile: HOST.profile().into(),
                fuel: self.fuel,
                memory: self.memory,
                stack: self.stack,
                grants: self.grants,
                kind: self.kind,
                floor: 0,
                source_digest: [0; 32],
                signatures: 1,
            },
        };
        spec.set_payload(&self.artifact).unwrap();
        build_envelope(&spec, &[&fake_key() as &dyn Sign], None, None).unwrap()
    }

    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.with(|manifest, payload| check(manifest, &payload))
    }

    /// The start, as an activity.
    pub(crate) fn starting(&self, board: &Board) -> Result<Starting, Fault> {
        self.with(|manifest, payload| {
            Persistent::start(manifest, payload, board.clone(), &Quota::default())
        })
    }

    pub(crate) fn start(&self, board: &Board) -> Result<Running, Fault> {
        let capsule = self.starting(board)?.finish().map_err(nowhere)?;
        Ok(Running(Some(capsule)))
    }

    /// The run, as an activity.
    pub(crate) fn running(&self, board: &Board, input: &[u8]) -> Result<Job, Fault> {
        self.with(|manifest, payload| {
            Ephemeral::run(manifest, payload, board.clone(), &Quota::default(), input)
        })
    }

    pub(crate) fn run(&self, board: &Board, input: &[u8]) -> Result<Vec<u8>, Fault> {
        self.running(board, input)?.finish().map_err(nowhere)
    }
}

/// A fault without the place where it happened, which depends on the compiler.
pub(crate) fn nowhere(fault: Fault) -> Fault {
    match fault.what() {
        Fault::Init(inner) => Fault::Init(Box::new(inner.what().clone())),
        fault => fault.clone(),
    }
}

pub(crate) type Starting = Activity<Result<Persistent<Board>, Fault>>;
pub(crate) type Job = Activity<Result<Vec<u8>, Fault>>;

/// A capsule whose calls run to their end.
pub(crate) struct Running(Option<Persistent<Board>>);

impl Running {
    pub(crate) fn call(&mut self, code: u8, message: &[u8]) -> Result<Answer, Fault> {
        let capsule = self.0.take().unwrap();
        let (capsule, answer) = match capsule.call(code, message) {
            Ok(activity) => {
                let called = activity.finish();
                (called.capsule, called.answer)
            }
            Err((capsule, fault)) => (capsule, Err(fault)),
        };
        self.0 = Some(capsule);
        answer.map_err(nowhere)
    }

    /// The call, as an activity; the capsule is in it.
    pub(crate) fn calling(self, code: u8, message: &[u8]) -> Activity<Called<Board>> {
        let activity = self.0.unwrap().call(code, message);
        activity.map_err(|(_, fault)| fault).unwrap()
    }

    pub(crate) fn usage(&self) -> Usage {
        self.0.as_ref().unwrap().usage()
    }

    pub(crate) fn fuel_used(&self) -> u64 {
        self.usage().fuel_last
    }

    pub(crate) fn memory(&self) -> u32 {
        self.usage().memory
    }

    pub(crate) fn resources(&self) -> &[String] {
        self.0.as_ref().unwrap().resources()
    }
}

/// A FAKE key. Everybody can make signatures with it.
pub(crate) fn fake_key() -> KeyPair {
    KeyPair::from_seed(Seed::new([1; 32]))
}

/// A component from the text of a core module and a world of the capsule WIT,
/// or of `wit`.
pub(crate) fn component(core: &str, world: &str, wit: Option<&str>) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = match wit {
        Some(wit) => resolve.push_str("test.wit", wit).unwrap(),
        None => {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../capsules/wit");
            resolve.push_dir(dir).unwrap().0
        }
    };
    encode(core, &resolve, package, world)
}

fn encode(core: &str, resolve: &Resolve, package: PackageId, world: &str) -> Vec<u8> {
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut core = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut core, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .validate(true)
        .module(&core)
        .unwrap()
        .encode()
        .unwrap()
}

/// An ephemeral capsule that exports plain functions, from the text of a core
/// module and the items of its world.
pub(crate) fn functions(core: &str, items: &str) -> Capsule {
    let mut resolve = Resolve::default();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../capsules/wit");
    resolve.push_dir(dir).unwrap();
    let wit = format!("package example:example; world capsule {{ {items} }}");
    let package = resolve.push_str("capsule.wit", &wit).unwrap();
    Capsule::of_component(&encode(core, &resolve, package, "capsule"), Kind::Ephemeral)
}

/// The parts of a persistent capsule that differ from one test to the next.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parts<'a> {
    /// Imports, and the start function.
    pub(crate) head: &'a str,
    /// Runs in `initialize-handler`.
    pub(crate) init: &'a str,
    /// Its result; 0 is success.
    pub(crate) init_result: u8,
    /// Runs in `coap-run`; has `$code`, `$len`, `$message`.
    pub(crate) run: &'a str,
    /// Further functions.
    pub(crate) functions: &'a str,
    /// The response code; 2.05 where it is 0.
    pub(crate) code: u8,
    /// Options and payload of the response, as in a `data` segment.
    pub(crate) answer: &'a str,
    /// Pages of linear memory; 1 where it is 0.
    pub(crate) pages: u32,
}

/// The bytes that `answer` stands for: each `\xx` is one.
fn length(answer: &str) -> usize {
    answer.len() - 2 * answer.matches('\\').count()
}

/// A persistent capsule as the text of a core module.
pub(crate) fn core(parts: Parts<'_>) -> String {
    let Parts {
        head,
        init,
        init_result,
        run,
        functions,
        answer,
        ..
    } = parts;
    let code = if parts.code == 0 { 0x45 } else { parts.code };
    let pages = parts.pages.max(1);
    let length = length(answer);
    format!(
        r#"(module
            {head}
            (memory (export "memory") {pages})
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
            (func (export "ariel:wasm-bindings/coap-server-guest@0.0.1#initialize-handler")
                (result i32)
                {init}
                i32.const {init_result})
            ;; ok, and a list of one string
            (func (export "ariel:wasm-bindings/coap-server-guest@0.0.1#report") (result i32)
                i32.const 0)
            (func (export "ariel:wasm-bindings/coap-server-guest@0.0.1#coap-run")
                (param $code i32) (param $len i32) (param $message i32) (param $cap i32)
                (result i32)
                {run}
                i32.const 32)
            {functions}
            (data (i32.const 0) "\00\00\00\00\10\00\00\00\01\00\00\00")
            (data (i32.const 16) "\18\00\00\00\04\00\00\00path")
            (data (i32.const 36) "\{code:02x}")
            (data (i32.const 40) "\00\02\00\00\{low:02x}\{high:02x}\00\00")
            (data (i32.const 512) "{answer}"))"#,
        low = length & 255,
        high = length >> 8,
    )
}

/// A persistent capsule.
pub(crate) fn persistent(parts: Parts<'_>) -> Capsule {
    let component = component(&core(parts), "persistent", None);
    Capsule::of_component(&component, Kind::Persistent)
}

const REALLOC: &str = "(param i32 i32 i32 i32) (result i32) i32.const 4096)";

/// A persistent capsule of which a part of the text is another, with all grants.
pub(crate) fn altered(parts: Parts<'_>, from: &str, to: &str) -> Capsule {
    let text = core(parts);
    assert!(text.contains(from), "{from} is not in {text}");
    let component = component(&text.replace(from, to), "persistent", None);
    Capsule::of_component(&component, Kind::Persistent).grant(Grants::ALL)
}

/// One whose `cabi_realloc` has this body.
pub(crate) fn with_realloc(parts: Parts<'_>, body: &str) -> Capsule {
    let realloc = format!("(param i32 i32 i32 i32) (result i32) {body})");
    altered(parts, REALLOC, &realloc)
}

pub(crate) const LOG: &str =
    r#"(import "ariel:wasm-bindings/log-api@0.0.1" "info" (func $info (param i32 i32)))"#;
pub(crate) const RANDOM_BYTES: &str = r#"(import "ariel:wasm-bindings/rng-api@0.0.1"
    "[static]r-n-g.random-bytes" (func $bytes (param i32 i32)))"#;
pub(crate) const NEXT_U32: &str = r#"(import "ariel:wasm-bindings/rng-api@0.0.1"
    "[static]r-n-g.next-u32" (func $next (result i32)))"#;
pub(crate) const SLEEP: &str =
    r#"(import "ariel:wasm-bindings/time-api@0.0.1" "sleep" (func $sleep (param i64)))"#;
pub(crate) const NOW: &str =
    r#"(import "ariel:wasm-bindings/time-api@0.0.1" "now-as-millis" (func $now (result i64)))"#;
pub(crate) const TRIGGER: &str = r#"(import "ariel:wasm-bindings/sensors-api@0.0.1"
    "trigger-measurements" (func $trigger (param i32 i32) (result i32)))"#;
pub(crate) const WAIT: &str = r#"(import "ariel:wasm-bindings/sensors-api@0.0.1"
    "wait-for-reading" (func $wait (param i32 i32 i32)))"#;
pub(crate) const TOGGLE: &str =
    r#"(import "ariel:wasm-bindings/gpio-api@0.0.1" "toggle-led" (func $toggle (result i32)))"#;
pub(crate) const BUTTON: &str = r#"(import "ariel:wasm-bindings/gpio-api@0.0.1"
    "wait-for-button-low" (func $button (result i32)))"#;
pub(crate) const BIND: &str = r#"(import "ariel:wasm-bindings/udp-api@0.0.1"
    "[static]udp-socket.bind" (func $bind (param i32) (result i32)))"#;
/// Gets the address of all its arguments: data and its length, whether the
/// address is v4 or v6 (8), the address (10), the port (26), and the same for
/// the local one.
pub(crate) const SEND: &str = r#"(import "ariel:wasm-bindings/udp-api@0.0.1"
    "[static]udp-socket.send" (func $send (param i32) (result i32)))"#;
pub(crate) const RECEIVE: &str = r#"(import "ariel:wasm-bindings/udp-api@0.0.1"
    "[static]udp-socket.try-recv" (func $receive (param i32)))"#;
