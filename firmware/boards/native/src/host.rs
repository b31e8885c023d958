//! What capsules may use of this board: the log, the system's random numbers
//! and clock, a simulated temperature sensor, a light and a button that are
//! files, and UDP.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use rand_core::{OsRng, RngCore};
use sealift_core::capsule::{Category, Datagram, Host, MAX_UDP, Reading, Unavailable};

/// The services of a Linux process.
#[derive(Debug)]
pub(crate) struct NativeHost {
    start: Instant,
    light: Option<Rc<Light>>,
    button: Option<PathBuf>,
    /// Where sockets are bound.
    address: IpAddr,
    /// The capsule's own.
    socket: Option<UdpSocket>,
    complaints: Complaints,
}

/// What has failed and was logged, so that no capsule fills the log with it.
#[derive(Clone, Debug, Default)]
struct Complaints(Rc<RefCell<HashSet<&'static str>>>);

impl Complaints {
    /// Logs why something failed, the first time; the capsule is told only that
    /// it did. Once it works again, a failure is news.
    fn hear<R>(&self, what: &'static str, result: std::io::Result<R>) -> Result<R, Unavailable> {
        let mut known = self.0.borrow_mut();
        match result {
            Ok(done) => {
                known.remove(what);
                Ok(done)
            }
            Err(error) => {
                if known.insert(what) {
                    log::warn!("{what}: {error}");
                }
                Err(Unavailable)
            }
        }
    }
}

/// A light: a file that says `on` or `off`.
#[derive(Debug)]
struct Light {
    file: PathBuf,
    on: Cell<bool>,
}

impl NativeHost {
    /// `light` is written when a capsule switches it; `button` is pressed
    /// while it says `low`. A board without one of them has none. Capsules
    /// send and receive at `address`.
    pub(crate) fn new(light: Option<PathBuf>, button: Option<PathBuf>, address: IpAddr) -> Self {
        let light = light.map(|file| {
            let on = Cell::new(false);
            Rc::new(Light { file, on })
        });
        Self {
            start: Instant::now(),
            light,
            button,
            address,
            socket: None,
            complaints: Complaints::default(),
        }
    }
}

/// For the next capsule: the same board, and no socket yet.
impl Clone for NativeHost {
    fn clone(&self) -> Self {
        Self {
            start: self.start,
            light: self.light.clone(),
            button: self.button.clone(),
            address: self.address,
            socket: None,
            complaints: self.complaints.clone(),
        }
    }
}

impl Light {
    fn toggle(&self) -> std::io::Result<()> {
        let on = !self.on.get();
        // In one go, so that nobody reads half of it.
        let new = self.file.with_added_extension("new");
        std::fs::write(&new, if on { "on\n" } else { "off\n" })?;
        std::fs::rename(&new, &self.file)?;
        self.on.set(on);
        Ok(())
    }
}

fn is_low(button: &Path) -> std::io::Result<bool> {
    match std::fs::read_to_string(button) {
        Ok(level) => Ok(level.trim() == "low"),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Host for NativeHost {
    fn log(&mut self, capsule: &str, line: &str) {
        log::info!("{capsule}: says: {line}");
    }

    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable> {
        OsRng.try_fill_bytes(bytes).map_err(|_| Unavailable)
    }

    fn now_ms(&mut self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        sealift_simulation::read_sensors(self.now_ms(), category)
    }

    fn toggle_led(&mut self) -> Result<(), Unavailable> {
        let light = self.light.as_ref().ok_or(Unavailable)?;
        self.complaints.hear("the light", light.toggle())
    }

    fn button_low(&mut self) -> Result<bool, Unavailable> {
        let button = self.button.as_ref().ok_or(Unavailable)?;
        self.complaints.hear("the button", is_low(button))
    }

    fn udp_bind(&mut self, port: u16) -> Result<(), Unavailable> {
        self.socket = None;
        let bind = || {
            let socket = UdpSocket::bind((self.address, port))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        self.socket = Some(self.complaints.hear("a capsule's port", bind())?);
        Ok(())
    }

    fn udp_send(&mut self, data: &[u8], to: SocketAddr) -> Result<(), Unavailable> {
        let socket = self.socket.as_ref().ok_or(Unavailable)?;
        let sent = socket.send_to(data, to);
        self.complaints.hear("a capsule's datagram", sent).map(drop)
    }

    fn udp_receive(&mut self) -> Result<Option<Datagram>, Unavailable> {
        let socket = self.socket.as_ref().ok_or(Unavailable)?;
        // A byte more, to tell a long one from one that was cut.
        let mut buffer = [0; MAX_UDP + 1];
        match socket.recv_from(&mut buffer) {
            Ok((length, from)) if length <= MAX_UDP => {
                let data = buffer.get(..length).unwrap_or_default().to_vec();
                let local = socket.local_addr().ok().map(|local| local.ip());
                Ok(Some((data, from, local.filter(|ip| !ip.is_unspecified()))))
            }
            Ok(_) => Ok(None),
            Err(error) => match error.kind() {
                // The last one is what came of an earlier datagram to a port
                // without anybody behind it.
                ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionRefused => {
                    Ok(None)
                }
                _ => self.complaints.hear("a capsule's socket", Err(error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn the_light_is_one_and_the_same_for_all_capsules() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("light");
        let mut one = NativeHost::new(Some(file.clone()), None, HERE);
        let mut other = one.clone();
        for (host, says) in [(&mut one, "on\n"), (&mut other, "off\n")] {
            host.toggle_led().unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), says);
        }
        assert_eq!(one.button_low(), Err(Unavailable));
    }

    #[test]
    fn the_button_is_pressed_while_its_file_says_low() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("button");
        let mut host = NativeHost::new(None, Some(file.clone()), HERE);
        assert_eq!(host.button_low(), Ok(false));
        for (says, pressed) in [
            ("low", true),
            ("low\n", true),
            ("high\n", false),
            ("", false),
        ] {
            std::fs::write(&file, says).unwrap();
            assert_eq!(host.button_low(), Ok(pressed), "{says:?}");
        }
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert_eq!(host.button_low(), Err(Unavailable));
        assert_eq!(host.toggle_led(), Err(Unavailable));
    }

    #[test]
    fn a_capsule_has_a_socket_of_its_own_and_only_once_it_binds_one() {
        let mut host = NativeHost::new(None, None, HERE);
        let peer = UdpSocket::bind((HERE, 0)).unwrap();
        let to = peer.local_addr().unwrap();
        assert_eq!(host.udp_receive(), Err(Unavailable));
        assert_eq!(host.udp_send(b"x", to), Err(Unavailable));

        host.udp_bind(0).unwrap();
        assert_eq!(host.udp_receive(), Ok(None));
        host.udp_send(b"ping", to).unwrap();
        let mut buffer = [0; 16];
        let (length, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"ping");
        assert!(from.ip().is_loopback());

        // On the loopback a datagram is there once it is sent. The one that
        // is too long is left out.
        peer.send_to(&[0; MAX_UDP + 1], from).unwrap();
        peer.send_to(b"pong", from).unwrap();
        assert_eq!(host.udp_receive(), Ok(None));
        let pong = (b"pong".to_vec(), to, Some(HERE));
        assert_eq!(host.udp_receive(), Ok(Some(pong)));
        assert_eq!(host.udp_receive(), Ok(None));

        // Another capsule's socket is another, and the port is taken.
        let mut other = host.clone();
        assert_eq!(other.udp_receive(), Err(Unavailable));
        assert_eq!(other.udp_bind(from.port()), Err(Unavailable));
        drop(host);
        assert_eq!(other.udp_bind(from.port()), Ok(()));
    }
}
