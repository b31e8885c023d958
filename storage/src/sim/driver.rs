//! Operations on a store and its model at once.

mod recovery;

use std::format;
use std::string::String;
use std::vec::Vec;

use super::{Capsule, MockError, MockFlash, Model, Operation, Outcome, Part, Script, Torn};
use crate::layout::{HEAD_AREA, JournalPage};
use crate::{Error, Layout, Opened, Store};

/// A store of `N` components with what it must be.
///
/// Every function returns in words where the store is not what the model says.
#[derive(Debug)]
pub struct Driver<const WORD: usize, const PAGE: usize, const N: usize> {
    store: Option<Store<MockFlash<WORD, PAGE>, N, WORD>>,
    layout: Layout<N>,
    capsules: Vec<Capsule>,
    capacity: u32,
    models: [Model; N],
    /// Payload bytes in one write.
    chunk: u32,
    /// Cuts that are still to come, each counted from the restart before.
    later_cuts: Vec<(u64, Torn, u64)>,
    cuts: u32,
    failures: u32,
    restart_on_failure: bool,
    /// Whether the flash may fail more than once.
    lenient: bool,
    exhausted: bool,
    /// A component whose last operation failed, and its state after it: until
    /// something succeeds, a restart may find that.
    unsettled: Option<(usize, Model)>,
}

impl<const WORD: usize, const PAGE: usize, const N: usize> Driver<WORD, PAGE, N> {
    /// Mounts a flash that holds no capsules.
    ///
    /// # Errors
    /// If that fails, or if it holds something.
    pub fn new(
        mut flash: MockFlash<WORD, PAGE>,
        layout: Layout<N>,
        slot_pages: u16,
        capsules: Vec<Capsule>,
        chunk: u32,
    ) -> Result<Self, String> {
        flash.demand_fresh_pages();
        let store = Store::mount(flash, layout).map_err(|e| format!("first mount: {e}"))?;
        let page = crate::media::unit(PAGE);
        let driver = Self {
            store: Some(store),
            layout,
            capsules,
            capacity: u32::from(slot_pages) * page - HEAD_AREA,
            models: core::array::from_fn(|_| Model::default()),
            chunk,
            later_cuts: Vec::new(),
            cuts: 0,
            failures: 0,
            restart_on_failure: false,
            lenient: false,
            exhausted: false,
            unsettled: None,
        };
        driver.compare()?;
        Ok(driver)
    }

    /// What the components must be.
    #[must_use]
    pub fn models(&self) -> &[Model; N] {
        &self.models
    }

    /// The power cuts that happened.
    #[must_use]
    pub fn cuts(&self) -> u32 {
        self.cuts
    }

    /// The flash failures that happened.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// From now on the journal may come to its end, and each part of the
    /// history that needs a record then ends there.
    pub fn expect_exhaustion(&mut self) {
        self.lenient = true;
    }

    /// Whether the journal came to its end.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Reports an error for the write or erase with this step from now, once;
    /// with `restart`, the device is switched off and on then.
    ///
    /// # Errors
    /// If a mount failed.
    pub fn glitch_at(&mut self, step: u64, restart: bool) -> Result<(), String> {
        self.restart_on_failure = restart;
        self.store()?.flash_mut().glitch_at(step);
        Ok(())
    }

    /// The store.
    ///
    /// # Errors
    /// If a mount failed.
    pub fn store(&mut self) -> Result<&mut Store<MockFlash<WORD, PAGE>, N, WORD>, String> {
        self.store.as_mut().ok_or_else(|| "not mounted".into())
    }

    /// Starts the flash's log of accesses.
    ///
    /// # Errors
    /// If a mount failed.
    pub fn start_log(&mut self) -> Result<(), String> {
        self.store()?.flash_mut().start_log();
        Ok(())
    }

    /// Flips a bit of the flash, see [`MockFlash::rot`].
    ///
    /// # Errors
    /// If a mount failed.
    pub fn rot(&mut self, bit: usize) -> Result<(), String> {
        self.store()?.flash_mut().rot(bit);
        Ok(())
    }

    /// Sets the cuts that will come, each counted from the restart before;
    /// the first from now.
    ///
    /// # Errors
    /// If a mount failed.
    pub fn cut_at(&mut self, cuts: &[(u64, Torn, u64)]) -> Result<(), String> {
        let mut cuts = cuts.to_vec();
        cuts.reverse();
        let first = cuts.pop();
        self.later_cuts = cuts;
        if let Some((step, torn, seed)) = first {
            self.store()?.flash_mut().cut_at(step, torn, seed);
        }
        Ok(())
    }

    /// Mounts another flash instead, and compares nothing.
    ///
    /// # Errors
    /// If the mount failed.
    pub fn remount(&mut self, flash: MockFlash<WORD, PAGE>) -> Result<(), String> {
        let store = Store::mount(flash, self.layout);
        self.store = Some(store.map_err(|e| format!("mount: {e}"))?);
        Ok(())
    }

    /// What the store reports, whatever it should be.
    ///
    /// # Errors
    /// If a mount failed.
    pub fn found(&mut self, c: usize) -> Result<Model, String> {
        let hidden = self.models[c].previous;
        let status = self.store()?.status(c).ok_or("no status")?;
        Ok(Model::of(&status, &self.capsules, hidden))
    }

    /// Does a script to its end.
    ///
    /// # Errors
    /// Where the store is not what the model says.
    pub fn run(&mut self, script: &[(usize, Script)]) -> Result<(), String> {
        for (i, (c, part)) in script.iter().enumerate() {
            self.part(*c, *part)
                .map_err(|e| format!("part {i}, {part:?} on {c}: {e}"))?;
        }
        self.intact()
    }

    fn part(&mut self, c: usize, part: Script) -> Result<(), String> {
        match part {
            Script::Push(i) => self.push(c, i, u32::MAX),
            Script::PushTo(i, upto) => self.push(c, i, upto),
            Script::Do(operation) => loop {
                match self.operate(c, operation)? {
                    Outcome::Cut { done: false } | Outcome::Failed => {}
                    _ => return Ok(()),
                }
            },
            Script::Restart => self.restart(),
            Script::Wear(part, silent) => {
                self.lenient = true;
                let page = self.page(c, part);
                self.store()?.flash_mut().wear_out(page, silent);
                Ok(())
            }
            Script::Repair => {
                self.lenient = false;
                let flash = self.store()?.flash_mut();
                for page in 0..flash.bytes().len() / PAGE {
                    flash.repair(page);
                }
                Ok(())
            }
        }
    }

    /// The number of a page on the flash.
    fn page(&self, c: usize, part: Part) -> usize {
        let area = self.layout.areas(crate::media::unit(PAGE)).components[c];
        let offset = match part {
            Part::FirstJournalPage => area.journal_page(JournalPage::First),
            Part::SecondJournalPage => area.journal_page(JournalPage::Second),
            Part::Head(slot) => area.slot(slot),
            Part::Payload(slot, at) => area.slot(slot) + HEAD_AREA + at,
        };
        offset as usize / PAGE
    }

    fn push(&mut self, c: usize, i: usize, upto: u32) -> Result<(), String> {
        let target = upto.min(self.capsules[i].manifest.payload_size);
        loop {
            match self.operate(c, Operation::Open(i))? {
                Outcome::Cut { .. } | Outcome::Failed => continue,
                Outcome::Refused | Outcome::Stuck => return Ok(()),
                Outcome::Done => {}
            }
            loop {
                match self.models[c].transfer {
                    Some((open, received)) if open == i && received < target => {
                        let len = self.chunk.min(target - received);
                        match self.operate(c, Operation::Write(len))? {
                            Outcome::Done => {}
                            Outcome::Stuck => return Ok(()),
                            _ => break,
                        }
                    }
                    _ => return Ok(()),
                }
            }
        }
    }

    /// Does one operation on the store and the model.
    ///
    /// # Errors
    /// Where the store is not what the model says.
    pub fn operate(&mut self, c: usize, operation: Operation) -> Result<Outcome, String> {
        let before = self.models[c].clone();
        let (after, good) = before.after(operation, &self.capsules, self.capacity);
        let result = self.on_store(c, operation)?;
        if self.store()?.flash().is_off() {
            let done = self.recover(c, &before, &after)?;
            return Ok(Outcome::Cut { done });
        }
        if let Err(error) = &result
            && error.is_flash_failure()
        {
            // A wrong access is the store's fault.
            let restart = match error {
                Error::Flash(MockError::Glitch) if self.failures == 0 => {
                    self.failures = 1;
                    self.restart_on_failure
                }
                Error::Flash(MockError::Broken) | Error::Worn { .. } if self.lenient => false,
                Error::JournalExhausted if self.lenient => {
                    self.exhausted = true;
                    false
                }
                _ => return Err(format!("{operation:?}: {error}")),
            };
            if restart {
                let done = self.recover(c, &before, &after)?;
                return Ok(Outcome::Cut { done });
            }
            return self.fail(c, operation, &before, &after, error);
        }
        if result.is_ok() != good {
            return Err(format!("{operation:?} gave {result:?} in {before:?}"));
        }
        self.models[c] = after;
        self.compare()?;
        Ok(if good {
            self.unsettled = None;
            Outcome::Done
        } else {
            Outcome::Refused
        })
    }

    fn on_store(
        &mut self,
        c: usize,
        operation: Operation,
    ) -> Result<Result<(), Error<MockError>>, String> {
        let transfer = self.models[c].transfer;
        let Some(store) = &mut self.store else {
            return Err("not mounted".into());
        };
        let capsules = &self.capsules;
        Ok(match operation {
            Operation::Open(i) => store
                .open_transfer(c, &capsules[i].manifest, capsules[i].head)
                .and_then(|opened| match (opened, transfer) {
                    (Opened::Resumed { received }, Some((_, known))) if received != known => {
                        Err(Error::WrongOffset { received })
                    }
                    _ => Ok(()),
                }),
            Operation::Write(len) => {
                let (bytes, at) = match transfer {
                    Some((i, at)) => (&capsules[i].payload[at as usize..], at),
                    None => (&[][..], 0),
                };
                let len = bytes.len().min(len as usize);
                store.write(c, at, &bytes[..len]).map(|_| ())
            }
            Operation::Abort => store.abort_transfer(c),
            Operation::Activate(i, tries) => store.activate(c, &capsules[i].manifest, tries),
            Operation::Attempt => store.begin_attempt(c).map(|_| ()),
            Operation::Confirm(i) => store.confirm(c, &capsules[i].manifest),
            Operation::Rollback => store.rollback(c),
            Operation::Revert => store.revert(c),
            Operation::Remove => store.remove(c),
        })
    }
}
