//! A client and a device in virtual time.

use std::cell::{RefCell, RefMut};
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sealift_oscore::Identity;
use testbed::{Simulation, Weather};
use updater::{BlockSize, Client, Config, Error, Transport};

use super::{Manner, Mock, Model, Seeded};

/// The client's end of the link.
#[derive(Clone)]
pub struct Far {
    link: Rc<RefCell<Simulation<Mock>>>,
    rng_seed: u64,
}

impl Transport for Far {
    type Rng = Seeded;

    fn rng(&mut self) -> Seeded {
        self.rng_seed += 1;
        Seeded::new(self.rng_seed)
    }

    fn device(&self) -> &str {
        "the device"
    }

    fn now(&self) -> Duration {
        self.link.borrow().now()
    }

    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.link.borrow_mut().send(datagram);
        Ok(())
    }

    fn receive(&mut self, until: Duration, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let datagram = self.link.borrow_mut().receive(until);
        Ok(datagram.map(|datagram| {
            buffer[..datagram.len()].copy_from_slice(&datagram);
            datagram.len()
        }))
    }

    fn renew(&mut self) -> Result<(), Error> {
        self.link.borrow_mut().change_port();
        Ok(())
    }
}

/// A link with a device at its end, and an operator that the device knows.
pub struct World {
    link: Rc<RefCell<Simulation<Mock>>>,
    operator: Arc<Identity>,
    model: Arc<Mutex<Model>>,
    seed: u64,
}

impl World {
    pub fn new(model: Model, manner: Manner, weather: Weather, seed: u64) -> Self {
        let operator = Identity::generate("operator", &mut Seeded::new(seed)).unwrap();
        let model = Arc::new(Mutex::new(model));
        let peers = [operator.credential().clone()];
        let mock = Mock::new(Arc::clone(&model), manner, &peers, seed);
        Self {
            link: Rc::new(RefCell::new(Simulation::new(mock, weather, seed))),
            operator: Arc::new(operator),
            model,
            seed,
        }
    }

    /// The link, to look at or to change.
    pub fn link(&self) -> RefMut<'_, Simulation<Mock>> {
        self.link.borrow_mut()
    }

    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap()
    }

    pub fn now(&self) -> Duration {
        self.link().now()
    }

    /// Nobody does anything for this time.
    pub fn wait(&self, time: Duration) {
        let until = self.now() + time;
        while self.link().receive(until).is_some() {}
    }

    /// The device restarts, and is away for this time.
    pub fn restart_device(&self, down: Duration) {
        let mut link = self.link();
        let now = link.now();
        link.peer.restart(now, down);
    }

    /// A client from a new address, which tries as often as a person would.
    pub fn client(&self, config: Config) -> Client<Far> {
        let mut tries = (0..9).map(|_| self.try_client(config));
        let link_failed =
            |result: &Result<_, Error>| matches!(result, Err(error) if error.is_link_failure());
        tries.find(|result| !link_failed(result)).unwrap().unwrap()
    }

    pub fn try_client(&self, config: Config) -> Result<Client<Far>, Error> {
        let credential = {
            let mut link = self.link();
            link.change_port();
            link.peer.credential.clone()
        };
        let far = Far {
            link: Rc::clone(&self.link),
            // Another one for each client.
            rng_seed: (self.seed << 32) + (self.link().sent_up().datagrams << 8),
        };
        Client::connect_over(far, Arc::clone(&self.operator), credential, config)
    }
}

/// The default but for the size of blocks.
pub fn in_blocks_of(bytes: usize) -> Config {
    Config {
        block_size: BlockSize::from_bytes(bytes).unwrap(),
        ..Config::default()
    }
}
