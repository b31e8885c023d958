//! What may be found after a cut, a failure or a restart.

use std::format;
use std::string::String;

use super::Driver;
use crate::sim::{Capsule, MockError, MockFlash, Model, Operation, Outcome};
use crate::{Error, SlotInfo, Store};

impl<const WORD: usize, const PAGE: usize, const N: usize> Driver<WORD, PAGE, N> {
    /// After a flash failure: the state is as before, or the transfer was
    /// taken back; and either state may be found after a restart.
    pub(super) fn fail(
        &mut self,
        c: usize,
        operation: Operation,
        before: &Model,
        after: &Model,
        error: &Error<MockError>,
    ) -> Result<Outcome, String> {
        let page = crate::media::unit(PAGE);
        let status = self.store()?.status(c).ok_or("no status")?;
        let found = [before.previous, after.previous]
            .into_iter()
            .map(|hidden| Model::of(&status, &self.capsules, hidden))
            .find(|found| {
                let moves = matches!(operation, Operation::Open(_) | Operation::Write(_));
                found == before || moves && found.may_follow(before, after, &self.capsules, page)
            })
            .ok_or_else(|| format!("after {error}: {status:?}, not {before:?}"))?;
        self.models[c] = found;
        self.compare()?;
        self.intact()?;
        Ok(if matches!(error, Error::Flash(MockError::Glitch)) {
            self.unsettled = Some((c, after.clone()));
            Outcome::Failed
        } else {
            Outcome::Stuck
        })
    }

    /// Switches off and on.
    ///
    /// # Errors
    /// Where the store is not what the model says.
    pub fn restart(&mut self) -> Result<(), String> {
        if let Some((c, after)) = self.unsettled.take() {
            let before = self.models[c].clone();
            return self.recover(c, &before, &after).map(|_| ());
        }
        self.mount()?;
        self.restart_models(None);
        self.compare()?;
        self.intact()
    }

    fn restart_models(&mut self, except: Option<usize>) {
        for (c, model) in self.models.iter_mut().enumerate() {
            if Some(c) != except {
                *model = model.restarted(&self.capsules, crate::media::unit(PAGE));
            }
        }
    }

    /// Mounts again, through cuts in the mount itself.
    fn mount(&mut self) -> Result<(), String> {
        let mut flash = self.store.take().ok_or("not mounted")?.into_flash();
        loop {
            let was_cut = flash.is_off();
            flash.power_on();
            if was_cut {
                self.cuts += 1;
                if let Some((step, torn, seed)) = self.later_cuts.pop() {
                    flash.cut_at(step, torn, seed);
                }
            }
            match Store::mount(flash.clone(), self.layout) {
                Ok(store) if !store.flash().is_off() => {
                    self.store = Some(store);
                    return Ok(());
                }
                Ok(store) => flash = store.into_flash(),
                // That flash went with the error: the same once more, on loan.
                Err(Error::Flash(MockError::Off)) => {
                    let _ = Store::<_, N, WORD>::mount(&mut flash, self.layout);
                }
                Err(error) => return Err(format!("mount: {error}")),
            }
        }
    }

    /// After a cut in an operation on `c`: mounts, and checks that the state
    /// is one that may be found. Says whether it is the one after it.
    pub(super) fn recover(
        &mut self,
        c: usize,
        before: &Model,
        after: &Model,
    ) -> Result<bool, String> {
        let page = crate::media::unit(PAGE);
        self.mount()?;
        self.restart_models(Some(c));
        let status = self.store()?.status(c).ok_or("no status")?;
        let found = [before.previous, after.previous]
            .into_iter()
            .map(|hidden| Model::of(&status, &self.capsules, hidden))
            .find(|found| found.may_follow(before, after, &self.capsules, page))
            .ok_or_else(|| format!("after a cut between {before:?} and {after:?}: {status:?}"))?;
        if found.floor < before.floor || found.highest < before.highest {
            return Err(format!("floor or highest fell: {before:?} to {found:?}"));
        }
        let done = found == after.restarted(&self.capsules, page);
        self.models[c] = found;
        self.compare()?;
        self.intact()?;
        Ok(done)
    }

    /// Whether the store reports what the models say.
    pub(super) fn compare(&self) -> Result<(), String> {
        let store = self.store.as_ref().ok_or("not mounted")?;
        for (c, model) in self.models.iter().enumerate() {
            let status = store.status(c).ok_or("no status")?;
            if !model.matches(&status, &self.capsules) {
                return Err(format!("component {c} is {status:?}, not {model:?}"));
            }
        }
        Ok(())
    }

    /// Whether the active capsules and those to roll back to are whole.
    ///
    /// # Errors
    /// If one is not.
    pub fn intact(&mut self) -> Result<(), String> {
        let store = self.store.as_mut().ok_or("not mounted")?;
        for (c, model) in self.models.iter().enumerate() {
            let status = store.status(c).ok_or("no status")?;
            let active = model.active.map(|(i, _)| i).zip(status.active);
            let previous = model.previous.zip(status.previous);
            for (i, info) in active.into_iter().chain(previous) {
                same_bytes(store, c, info, &self.capsules[i])?;
            }
        }
        Ok(())
    }
}

fn same_bytes<const WORD: usize, const PAGE: usize, const N: usize>(
    store: &mut Store<MockFlash<WORD, PAGE>, N, WORD>,
    c: usize,
    info: SlotInfo,
    capsule: &Capsule,
) -> Result<(), String> {
    let mut head = [0; 1024];
    let head = store
        .read_head(c, info.slot, &mut head)
        .map_err(|e| format!("{e}"))?;
    let mut payload = std::vec![0; info.payload_len as usize];
    if head != capsule.head {
        return Err(format!("the head in {info:?} is damaged"));
    }
    store
        .read_payload(c, info.slot, 0, &mut payload)
        .map_err(|e| format!("{e}"))?;
    if payload != capsule.payload {
        return Err(format!("the payload in {info:?} is damaged"));
    }
    Ok(())
}
