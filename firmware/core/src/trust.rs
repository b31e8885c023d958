//! What a device trusts, where a signed record says so.
//!
//! A trust record is the payload of an envelope for the component [`TRUST`],
//! which is signed by root keys that the device was provisioned with. The store
//! keeps it as it keeps a capsule: whole or not at all, with a number that only
//! rises, and it is verified again from flash at each start. It is in force from
//! its activation on, without a trial: what it says was checked before, and to
//! go back to keys that were revoked is what it must never do.
//!
//! # Nobody is locked out
//!
//! A record is taken only if some peer may deploy, if every component that is
//! named can get as many signatures as are needed ([`Trust::check`]), and if
//! **the peer that sends it keeps the role `deploy`**. So a credential is
//! replaced in two records: one that adds the new one, and one that takes away
//! the old one, which only the new one can send; by that it has shown that it
//! works on this very device.
//!
//! And its number is at most [`MAX_RISE`] above that of the one before: one
//! mistaken number does not use up all that there are.
//!
//! # What is under way when a record is taken
//!
//! - An installed capsule stays or goes with its *translators*, whoever sent it.
//!   One that the new record does not allow is stopped, also while it starts or
//!   answers, and its callers are told so; the previous one runs in its place if
//!   that is allowed.
//! - A *job* is stopped, whoever signed and sent it: neither is kept while it
//!   runs. If its deployer is still known, it is told so, and can run the job
//!   again if that is allowed.
//! - What *peers* that are gone asked for and no capsule has begun is dropped;
//!   what one works on comes to its end, and nobody gets the answer. A transfer
//!   that such a peer began stays open, and who is known may go on with it.
//!
//! The signatures of an envelope are not part of its manifest. A transfer that goes on
//! with the same manifest and other signatures begins anew, so that what is in the slot in
//! the end is what was asked for. A capsule that was stopped can come again only with a
//! higher number, also if enough have signed it now.
//!
//! # When the record in force is damaged
//!
//! Not the one before it, nor the provisioned keys, which may be revoked: then
//! nobody may sign capsules, and none runs. The provisioned peers can send a
//! newer record; the same one again is refused. Where it is only that the flash cannot
//! be read, nothing is given up for it: it is tried again each second, and capsules start
//! when it could be.

use embedded_storage::nor_flash::NorFlash;
use sealift_manifest::{Kind, Manifest, TRUST, Verified};
use sealift_provision::{Keys, Trust, TrustError};
use sealift_storage::SlotId;
use sealift_wire::{Refusal, Roles};

use crate::capsule::Host;
use crate::policy::Policy;
use crate::refuse;
use crate::supervisor::Supervisor;

/// How long to wait before a record that could not be read is tried again, in
/// milliseconds.
const RETRY_MS: u64 = 1000;

/// How far the number of a record may be above that of the one before it: enough
/// for milliseconds since 1970 and for dates in digits, down to the second, on a
/// device that has no record yet; and 65,535 times as much is left then.
const MAX_RISE: u64 = 1 << 48;

impl<F, H, const N: usize, const W: usize> Supervisor<F, H, N, W>
where
    F: NorFlash,
    H: Host,
{
    /// The number of the record in force, 0 for what was provisioned; `None` for
    /// a device without root keys.
    pub(crate) fn trust_number(&self) -> Option<u64> {
        let status = self.store.status(N)?;
        (!self.acceptance.root.is_empty()).then_some(status.highest)
    }

    /// Whether there is a record in force, and it is not damaged.
    pub(crate) fn has_trust(&self) -> bool {
        self.trust_number().is_some_and(|number| number != 0) && !self.acceptance.trust.is_empty()
    }

    /// Trusts what the record in the store says, if there ever was one. Where the flash
    /// cannot be read now, nobody may sign and nothing starts until it can.
    pub(crate) fn load_trust(&mut self) {
        if self.trust_number().is_none_or(|number| number == 0) {
            return;
        }
        self.retry_trust_at = None;
        match self.stored_trust() {
            Ok(trust) => self.trust(trust),
            Err(Refusal::Internal) => {
                log::error!("{TRUST}: cannot be read: nobody may sign, until it can");
                self.acceptance.trust = Keys::default();
                self.retry_trust_at = Some(self.now.saturating_add(RETRY_MS));
            }
            Err(refusal) => {
                log::error!("{TRUST}: {refusal}: nobody may sign, until there is a newer record");
                self.acceptance.trust = Keys::default();
                // A trial that cannot be confirmed would keep newer ones out.
                if self.on_trial(N) {
                    let _ = self.store.revert(N);
                }
            }
        }
    }

    /// Reads the record again, where it could not be read, and starts what waits for it.
    pub(crate) fn retry_trust(&mut self) {
        if self.retry_trust_at.is_none_or(|at| self.now < at) {
            return;
        }
        self.load_trust();
        if self.retry_trust_at.is_none() {
            for vm in 0..N {
                self.start(vm);
            }
        }
    }

    fn stored_trust(&mut self) -> Result<Trust, Refusal> {
        let active = self.active(N).ok_or(Refusal::NotARecord)?;
        let head = self.head(N, active.slot)?;
        let manifest = self.trust_manifest(&head)?;
        // No other than the newest there ever was.
        if Some(manifest.sequence_number) != self.trust_number() {
            return Err(Refusal::OldSequence);
        }
        let trust = self.read_trust(active.slot, &manifest)?;
        if self.on_trial(N) {
            // Power was cut between the two records of the store.
            self.settle(&manifest);
        }
        Ok(trust)
    }

    fn trust_manifest<'a>(&self, head: &'a [u8]) -> Result<Verified<Manifest<'a>>, Refusal> {
        self.acceptance.manifest(head, TRUST, Kind::Persistent)
    }

    /// Reads the record in `slot`, and checks that it can be lived with.
    fn read_trust(
        &mut self,
        slot: SlotId,
        manifest: &Verified<Manifest<'_>>,
    ) -> Result<Trust, Refusal> {
        let record = self.payload(N, slot, manifest)?;
        let trust = Trust::decode((*record).as_ref());
        let checked = trust.and_then(|trust| {
            trust.check(&self.acceptance.root)?;
            Ok(trust)
        });
        checked.map_err(|error| {
            let refusal = match error {
                TrustError::Malformed | TrustError::TooLong => Refusal::NotARecord,
                _ => Refusal::LockOut,
            };
            refuse::because(TRUST, &error, refusal)
        })
    }

    /// Puts the record in `slot`, which this peer has sent, in force.
    pub(crate) fn take_trust(&mut self, slot: SlotId, peer: usize) -> Result<(), Refusal> {
        let head = self.head(N, slot)?;
        let manifest = self.trust_manifest(&head)?;
        let trust = self.read_trust(slot, &manifest)?;
        let sender = self.policy.credential(peer).ok_or(Refusal::Internal)?;
        if !trust.roles(sender).has(Roles::DEPLOY) {
            let why = "its sender would not be a deployer any more";
            return Err(refuse::because(TRUST, &why, Refusal::LockOut));
        }
        let before = self.trust_number().unwrap_or(0);
        if manifest.sequence_number.saturating_sub(before) > MAX_RISE {
            let why = "its number leaves too few for those that follow";
            return Err(refuse::because(TRUST, &why, Refusal::LockOut));
        }
        self.store
            .activate(N, &manifest, 1)
            .map_err(|error| refuse::store(TRUST, &error))?;
        self.settle(&manifest);
        log::info!("{TRUST}: record {} is in force", manifest.sequence_number);
        self.trust(trust);
        self.end_untrusted();
        Ok(())
    }

    /// The record is in force already. Should this fail, it is done at the next
    /// start.
    fn settle(&mut self, manifest: &Verified<Manifest<'_>>) {
        if let Err(error) = self.store.confirm(N, manifest) {
            log::error!("{TRUST}: {error}");
        }
    }

    fn trust(&mut self, trust: Trust) {
        self.policy = Policy::new(trust.peers);
        self.acceptance.trust = trust.translators;
        self.peers_changed = true;
        self.retry_trust_at = None;
    }

    /// Stops the capsules that are not trusted any more. In the place of one, the
    /// previous one is started, if that is.
    fn end_untrusted(&mut self) {
        for vm in 0..N {
            let Some(active) = self.active(vm) else {
                continue;
            };
            let name = self.name(vm);
            let trusted = self.head(vm, active.slot).and_then(|head| {
                let manifest = self.acceptance.manifest(&head, name, Kind::Persistent)?;
                Ok(manifest.sequence_number)
            });
            if let Err(refusal) = trusted
                && refusal != Refusal::Internal
            {
                log::warn!("{name}: stopped: {refusal}");
                self.start(vm);
            }
        }
    }
}
