//! Power-fail-safe dual-slot store for capsules on NOR flash.
//!
//! A [`Store`] keeps, for each *component* of a device (`vm1`, `vm2`, ...), the
//! capsule that runs, the one to roll back to or the one that is being
//! received, the highest sequence number ever activated and the rollback
//! floor. Power may fail at any byte of any write or erase; the next
//! [`Store::mount`] finds the state before or after the operation that was cut.
//! The store runs on the blocking NOR flash traits of `embedded-storage`,
//! allocates nothing and contains no unsafe code.
//!
//! ```
//! use sealift_storage::{Layout, Store};
//! # use sealift_storage::sim::MockFlash;
//! // The board's: from page 16 on, two components, slots of 24 pages.
//! const LAYOUT: Layout<2> = Layout::new(16 * 4096, 24, ["vm1", "vm2"]);
//! # let flash = MockFlash::<4, 4096>::new(16 + 2 * (2 + 2 * 24));
//! let store = Store::<_, 2>::mount(flash, LAYOUT)?;
//! let status = store.status(0).expect("vm1");
//! assert_eq!((status.active, status.highest, status.floor), (None, 0, 0));
//! # Ok::<(), sealift_storage::Error<sealift_storage::sim::MockError>>(())
//! ```
//!
//! # A capsule's way
//!
//! | a slot holds | and comes to hold | by |
//! |---|---|---|
//! | nothing, or the previous capsule | a transfer | [`Store::open_transfer`] |
//! | a transfer | more of it | [`Store::write`] |
//! | | nothing | [`Store::abort_transfer`], a wrong payload |
//! | | the active capsule, on trial | [`Store::activate`] |
//! | a trial | the same, with one try less | [`Store::begin_attempt`] |
//! | | the active capsule, confirmed | [`Store::confirm`] |
//! | | nothing; the previous capsule is active | [`Store::revert`], [`Store::rollback`] |
//! | a confirmed capsule | the previous one | activation of the other slot, [`Store::rollback`] |
//! | the previous capsule | the active one | [`Store::rollback`], [`Store::revert`] of the other slot |
//! | anything | nothing | [`Store::remove`] |
//!
//! - A transfer goes to the slot that is not active, and from its first moment
//!   there is nothing to roll back to until the next confirm. While a trial is
//!   pending no transfer is opened, so the confirmed capsule to fall back to is
//!   never erased.
//! - Only a sequence number above the highest ever activated is taken; the
//!   active envelope once more is answered as done; that of the open transfer
//!   resumes it; a different acceptable one takes its place.
//! - [`Store::activate`] hashes the payload from flash against the verified
//!   manifest; only then does one record make it active. Manifests come as
//!   `Verified<Manifest>`, which only signature verification makes.
//! - A slot whose bytes are in use is lent ([`Store::lend`]). Erasing and
//!   programming take the [`Slot`] token that the [`Lease`] holds meanwhile.
//! - Sequence numbers start at 1, since nothing is above "none" but that.
//!
//! # What it asks of the flash
//!
//! - `WRITE_SIZE` divides 1024 and `ERASE_SIZE`: 1, 4, 8, 16, 32, 256 are all
//!   the same to the store. `ERASE_SIZE` divides 1024 or is a multiple of it,
//!   and holds a record (136 bytes, 144 with 8-byte words, 1024 with 256-byte
//!   words). `READ_SIZE` is a power of two up to 256.
//! - An erase that returned success leaves 0xFF in all bytes, and each word
//!   takes one write then. No word is written twice for each erase.
//! - A write or erase that is cut leaves any bits in the words of the write
//!   that were not finished, and in the page of the erase, and nothing
//!   elsewhere. These bits may even be different at each restart (see below).
//!   They must be readable, however: a driver whose hardware reports an ECC error for a torn
//!   word returns the bytes it got, or any others, and not an error.
//! - Bits that were written completely stay, but for what is below on bit rot.
//! - Nothing else writes to the store's area, and nothing but the store on the
//!   device is trusted with it: who can write to the flash can write a lower
//!   floor, too.
//!
//! # On the flash
//!
//! From the layout's base on, for each component, all in whole erase pages:
//! journal page 0, journal page 1, slot A, slot B.
//!
//! Behind the components, if the layout has them, the two journal pages of the
//! counter, and the component of the **trust record** ([`Layout::with_trust`]):
//! two journal pages, and two slots of the pages that 3072 bytes take. It is a
//! component like the others, with the same promises, so that what a device
//! trusts is the old record or the new one, whole, and its number never falls;
//! only who uses the store treats it otherwise.
//!
//! A **slot** holds the head of the envelope from byte 0, the payload from byte
//! 1024 ([`HEAD_AREA`]), each filled up to whole words with 0xFF. What is
//! between them and behind the payload has no meaning.
//!
//! A **journal page** is a row of places. A place holds a record of 128 bytes
//! and two seals of 4, each rounded up to whole words; if the record is a
//! single word, an opening like a seal comes first. What does not fit at the
//! end of the page is not used. A record is the whole state of the component,
//! little endian:
//!
//! | bytes | |
//! |---|---|
//! | 0..4 | number of the record |
//! | 4 | active slot: 0 none, 1 A, 2 B |
//! | 5, 6 | use of slot A, of slot B: 0 free, 1 transfer, 2 trial, 3 confirmed |
//! | 7 | 0 |
//! | 8..16 | rollback floor |
//! | 16..24 | highest sequence number ever activated |
//! | 24..72 | slot A: head length (2), whole pages of a transfer or tries left (2), payload length (4), sequence number (8), manifest digest (32) |
//! | 72..120 | slot B, the same |
//! | 120..128 | check: the first 8 bytes of SHA-256(tag, bytes 0..120) |
//! | 128.. | two seals, each in words of its own: 4 bytes 0 |
//!
//! The tag is the first 8 bytes of SHA-256("sealift-storage 1" and a zero byte,
//! flash offset of the journal (4), page size (4), pages in a slot (2), name of
//! the component). So a record counts for its own component in its own place
//! only. **A board that changes its layout starts with empty components and
//! floor 0**: move the components yourself, or do not change it.
//!
//! The check is not a CRC-32, because a cut can leave any bits, and of those
//! one pattern in 2^32 would pass; SHA-256 is on the device anyway.
//!
//! # Invariants
//!
//! 1. *Fresh words.* A word is only programmed if its page was erased in the
//!    same power session. So no write ever meets a word that a cut left weakly
//!    programmed or a page that only looks erased. For the journal this means:
//!    the first record after a mount goes to the other page, which is erased
//!    for it; later ones follow it; a full page is left in the same way.
//!    (To skip one place after a mount instead is not enough: after two cuts in
//!    a row that both read as erased, the second place would be tried twice.)
//! 2. *The higher number wins.* The valid record of the highest number is in
//!    force. After a mount one number is left out, because a torn record may
//!    have it.
//! 3. *Only what is certain to stay is relied on.* A record is read back, then
//!    sealed, then sealed again. So one seal means that the record will be read
//!    by all mounts to come, and the page with the best record that has one is
//!    never erased; two seals mean that the first will be. If at a mount
//!    the record in force has not both, or anything but erased bytes follows
//!    it, or the other page does not start with a record, then a cut may have
//!    been here, and bits that a cut left may be read differently each time:
//!    the state that was chosen is written again, at once, with a higher number
//!    than all that may come and go.
//! 4. *First the record, then the slot.* A slot is touched only after a record
//!    says that nobody relies on it. A page of a slot is erased right before
//!    its first byte is written.
//! 5. *Each record is one whole step.* Activation, confirm, roll back, revert,
//!    an attempt and removal are one record each, so there is no state between
//!    them.
//!
//! # What is promised after a cut
//!
//! | cut in | the next mount finds |
//! |---|---|
//! | [`Store::open_transfer`] | the state before; or no transfer and nothing to roll back to; or the transfer at 0. The active capsule in any case. |
//! | [`Store::write`] | the transfer at the last page boundary that was reached, or none if the page with the head was not finished |
//! | [`Store::mount`] | the state before or after the operation of the cut before it |
//! | any other | the state before, or the state after |
//!
//! This holds for any number of cuts, also in the mounts that follow, if what a
//! cut left reads the same each time. If it does not, it holds for a cut and
//! another one in the mount after it. A third, in the next mount again, can
//! lose the state if the first was in the few microseconds of a seal and the
//! seal, and a page that the second cut left half-erased, read as good in one
//! mount and as bad in the other. With two journal pages this cannot be ruled
//! out: one of them must be erased to write at all, and no mark says for certain
//! which of the two can be done without. Nor can bits that read differently be
//! put right while a journal page is worn out: the state is that before or that
//! after the cut, and which of the two can change until something is written.
//!
//! Floor and highest number never fall. The active capsule, and the previous
//! one unless a transfer was opened, are whole. When a function reports a flash
//! failure instead, the state is as before (a transfer is taken back as by a
//! restart), and stays so as long as the power is on; a restart before the next
//! success may find the state after it, as with a cut. The exception is
//! [`Store::open_transfer`], if it is the page for the head that fails: by then
//! a record says that the slot is nobody's (invariant 4), so that there is no
//! transfer and nothing to roll back to.
//!
//! # What is promised under bit rot
//!
//! | bits that flipped | what follows |
//! |---|---|
//! | any, in a head or payload | Verification of the head, or [`Store::check_payload`] and [`Store::activate`], refuse. The device must do both before each start. |
//! | any, where nothing is written yet | The write there fails ([`Error::Worn`]); the next try erases first. |
//! | a single one in the two pages of a journal | Nothing is lost. The state is the same, also if power was cut before, or is cut in the mount that writes it again. |
//! | two or more in the newest record or its seals | The record before it is in force: the component is as it was before its last step (of an update, one page of transfer, the activation, an attempt or the confirm). |
//! | two or more in older records | Nothing is lost, until the same happens to the newest. |
//! | so many that no record is left | The component is empty, with floor 0 and highest number 0. |
//!
//! So with two flipped bits in one record **floor and highest number can be those
//! of the step before**: a confirm that raised the floor is undone with the
//! floor, and the capsule is on trial again; an activation is undone with its
//! number. No other step raises them, so no more than one rise is lost for
//! each record that is. A record that is back may also name a slot that was
//! erased since, as the previous capsule or as pages of a transfer; its bytes
//! do not pass the checks above, and after a roll back to it nothing runs.
//! A device that must exclude this keeps its flash within what the maker
//! promises for retention, or has flash with ECC.
//!
//! A single bit is put right by trying all 1024, if the record was sealed and no
//! sealed record that can be read is behind it in its page; a seal may lack one
//! bit. This takes time only if it is needed.
//!
//! # What it costs
//!
//! Flash: two pages for each component and 1 kB for each slot. RAM: 200 bytes
//! for each component with words up to 8 bytes and 32-bit pointers, 232 with
//! 64-bit ones. An update erases each page of
//! one slot once, so each page of both slots once in two updates; and of the
//! journal one page for each power session that writes, plus one for each full
//! page of records. It takes one record for opening, one for each page of the
//! slot, and one each for activation, attempt and confirm.
//!
//! # Why not `sequential-storage`
//!
//! It is a good map and queue, but version 8.0.2 with 1-byte words can
//! acknowledge a store and later return the old value, after two power cuts (its
//! issue 136) or one (`tests/sequential_storage.rs`, which turns red when a new
//! version heals it); with 4-byte words no such case was found. RP2040 and RP2350
//! drivers declare 1-byte words. A rollback counter must not do that on any
//! word size, and the state here is a single value of fixed size, for which a
//! journal of whole states is shorter than a map.
//!
//! # Tests
//!
//! The feature `sim` has a flash that loses power (`sim::MockFlash`), a model
//! of the store in a few lines (`sim::Model`) and a driver that does
//! operations on both (`sim::Driver`). `tests/power_cut.rs` cuts the power at
//! every place of whole histories, `tests/histories.rs` runs random ones, and
//! `tests/bit_rot.rs` flips bits.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unreachable,
        clippy::todo
    )
)]

#[cfg(any(test, feature = "sim"))]
extern crate std;

mod component;
mod error;
mod journal;
mod layout;
mod media;
mod record;
mod slot;
mod state;
mod status;
mod store;
mod transfer;

#[cfg(feature = "sim")]
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "for tests, where a panic is a failure found"
)]
pub mod sim;

pub use error::Error;
pub use layout::{HEAD_AREA, Layout, LayoutError};
pub use slot::{Lease, Slot};
pub use status::{ComponentStatus, Opened, Phase, SlotId, SlotInfo, Transfer};
pub use store::Store;
