//! OSCORE security contexts (RFC 8613 section 3): AES-CCM-16-64-128 and HKDF with SHA-256.

use crate::Error;
use ccm::KeyInit;
use ccm::aead::AeadInPlace;
use heapless::Vec;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// Longest sender or recipient identifier: the nonce length minus 6.
pub const MAX_ID: usize = 7;
/// Longest ID Context, in bytes.
pub const MAX_ID_CONTEXT: usize = 16;
/// Length of the authentication tag, in bytes.
pub const TAG: usize = 8;
/// Sequence numbers that the replay window covers.
pub const WINDOW: u64 = 64;
/// Number of the AEAD algorithm in COSE: AES-CCM-16-64-128.
pub(crate) const ALGORITHM: u8 = 10;

const NONCE: usize = 13;
/// Sequence numbers are below 2^40 (RFC 8613 section 7.2.1).
const SEQUENCE_LIMIT: u64 = 1 << 40;

type Aead = ccm::Ccm<aes::Aes128, ccm::consts::U8, ccm::consts::U13>;
pub(crate) type Id = Vec<u8, MAX_ID>;
pub(crate) type Nonce = [u8; NONCE];

/// What a security context is derived from (RFC 8613 section 3.2).
#[derive(Clone, Copy)]
pub struct Parameters<'a> {
    /// Master Secret.
    pub master_secret: &'a [u8],
    /// Master Salt; empty when there is none.
    pub master_salt: &'a [u8],
    /// Identifier of this side, at most [`MAX_ID`] bytes.
    pub sender_id: &'a [u8],
    /// Identifier of the other side, at most [`MAX_ID`] bytes, another one.
    pub recipient_id: &'a [u8],
    /// ID Context, at most [`MAX_ID_CONTEXT`] bytes.
    pub id_context: Option<&'a [u8]>,
}

/// One side's security context: keys, identifiers, sequence number, replay window.
/// The keys are overwritten when it is dropped. It cannot be cloned: two copies
/// would use the same nonces.
pub struct SecurityContext {
    sender_id: Id,
    recipient_id: Id,
    id_context: Option<Vec<u8, MAX_ID_CONTEXT>>,
    sender_key: Zeroizing<[u8; 16]>,
    recipient_key: Zeroizing<[u8; 16]>,
    common_iv: Nonce,
    sequence: u64,
    window: ReplayWindow,
}

impl SecurityContext {
    /// Derives keys and common IV.
    ///
    /// # Errors
    /// [`Error::Identifiers`] when an identifier is too long, or the two are equal.
    pub fn derive(from: &Parameters<'_>) -> Result<Self, Error> {
        if from.sender_id == from.recipient_id {
            return Err(Error::Identifiers);
        }
        let id = |bytes| Id::from_slice(bytes).map_err(|_| Error::Identifiers);
        let id_context = match from.id_context {
            Some(bytes) => Some(Vec::from_slice(bytes).map_err(|_| Error::Identifiers)?),
            None => None,
        };
        let hkdf = Hkdf::<Sha256>::new(Some(from.master_salt), from.master_secret);
        let mut context = Self {
            sender_id: id(from.sender_id)?,
            recipient_id: id(from.recipient_id)?,
            id_context,
            sender_key: Zeroizing::new([0; 16]),
            recipient_key: Zeroizing::new([0; 16]),
            common_iv: [0; NONCE],
            sequence: 0,
            window: ReplayWindow::default(),
        };
        expand(
            &hkdf,
            from.sender_id,
            from.id_context,
            "Key",
            &mut *context.sender_key,
        )?;
        expand(
            &hkdf,
            from.recipient_id,
            from.id_context,
            "Key",
            &mut *context.recipient_key,
        )?;
        expand(&hkdf, &[], from.id_context, "IV", &mut context.common_iv)?;
        Ok(context)
    }

    /// Identifier of this side.
    pub fn sender_id(&self) -> &[u8] {
        &self.sender_id
    }

    /// Identifier of the other side.
    pub fn recipient_id(&self) -> &[u8] {
        &self.recipient_id
    }

    /// ID Context, when there is one.
    pub fn id_context(&self) -> Option<&[u8]> {
        self.id_context.as_deref()
    }

    /// The sequence number that the next message of this side will use.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The replay window over the sequence numbers of the other side.
    pub fn window(&self) -> &ReplayWindow {
        &self.window
    }

    pub(crate) fn window_mut(&mut self) -> &mut ReplayWindow {
        &mut self.window
    }

    #[cfg(test)]
    pub(crate) fn set_sequence(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    #[cfg(test)]
    pub(crate) fn keys(&self) -> [std::vec::Vec<u8>; 2] {
        [self.sender_key.to_vec(), self.recipient_key.to_vec()]
    }

    /// Takes a sequence number: it is never used again, whatever happens to the message.
    pub(crate) fn take_sequence(&mut self) -> Result<PartialIv, Error> {
        let taken = PartialIv::new(self.sequence)?;
        self.sequence = self.sequence.saturating_add(1);
        Ok(taken)
    }

    /// The nonce for a Partial IV of the side with this identifier (section 5.2).
    fn nonce(&self, id: &[u8], piv: &PartialIv) -> Nonce {
        let mut nonce = self.common_iv;
        let length = u8::try_from(id.len()).unwrap_or_default();
        // Big-endian fields, right-aligned: length of the id, id, Partial IV.
        let mixed = piv.0.iter().rev();
        let padding = MAX_ID.saturating_sub(id.len());
        let mixed = mixed
            .chain(id.iter().rev())
            .chain(core::iter::repeat_n(&0, padding))
            .chain(core::iter::once(&length));
        for (byte, value) in nonce.iter_mut().rev().zip(mixed) {
            *byte ^= value;
        }
        nonce
    }

    pub(crate) fn sender_nonce(&self, piv: &PartialIv) -> Nonce {
        self.nonce(&self.sender_id, piv)
    }

    pub(crate) fn recipient_nonce(&self, piv: &PartialIv) -> Nonce {
        self.nonce(&self.recipient_id, piv)
    }

    /// Encrypts `text` in place with the sender key and returns the tag.
    pub(crate) fn seal(
        &self,
        nonce: &Nonce,
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG], Error> {
        Aead::new((&*self.sender_key).into())
            .encrypt_in_place_detached(nonce.into(), aad, text)
            .map(Into::into)
            .map_err(|_| Error::Internal)
    }

    /// Decrypts `text` in place with the recipient key, if the tag is right.
    pub(crate) fn open(
        &self,
        nonce: &Nonce,
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG],
    ) -> Result<(), Error> {
        Aead::new((&*self.recipient_key).into())
            .decrypt_in_place_detached(nonce.into(), aad, text, tag.into())
            .map_err(|_| Error::Authentication)
    }
}

impl Drop for SecurityContext {
    fn drop(&mut self) {
        // The keys overwrite themselves.
        self.common_iv.zeroize();
    }
}

impl core::fmt::Debug for SecurityContext {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SecurityContext")
            .field("sender_id", &self.sender_id)
            .field("recipient_id", &self.recipient_id)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// HKDF-Expand with the `info` structure of section 3.2.1.
fn expand(
    hkdf: &Hkdf<Sha256>,
    id: &[u8],
    id_context: Option<&[u8]>,
    kind: &str,
    output: &mut [u8],
) -> Result<(), Error> {
    let mut info: Vec<u8, 40> = Vec::new();
    let length = u8::try_from(output.len()).map_err(|_| Error::Internal)?;
    info.push(0x85).map_err(|_| Error::Internal)?;
    push_string(&mut info, 0x40, id)?;
    match id_context {
        Some(bytes) => push_string(&mut info, 0x40, bytes)?,
        None => info.push(0xf6).map_err(|_| Error::Internal)?,
    }
    info.push(ALGORITHM).map_err(|_| Error::Internal)?;
    push_string(&mut info, 0x60, kind.as_bytes())?;
    info.push(length).map_err(|_| Error::Internal)?;
    hkdf.expand(&info, output).map_err(|_| Error::Internal)
}

/// Appends a CBOR string shorter than 24 bytes.
pub(crate) fn push_string<const N: usize>(
    to: &mut Vec<u8, N>,
    major: u8,
    bytes: &[u8],
) -> Result<(), Error> {
    let length = u8::try_from(bytes.len())
        .ok()
        .filter(|n| *n < 24)
        .ok_or(Error::Internal)?;
    to.push(major | length).map_err(|_| Error::Internal)?;
    to.extend_from_slice(bytes).map_err(|_| Error::Internal)
}

/// A Partial IV: a sequence number below 2^40 in 5 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialIv([u8; 5]);

impl PartialIv {
    /// The Partial IV of a sequence number.
    ///
    /// # Errors
    /// [`Error::SequenceExhausted`] from 2^40 on.
    pub fn new(sequence: u64) -> Result<Self, Error> {
        if sequence >= SEQUENCE_LIMIT {
            return Err(Error::SequenceExhausted);
        }
        let [_, _, _, bytes @ ..] = sequence.to_be_bytes();
        Ok(Self(bytes))
    }

    /// Reads the shortest encoding: 1 to 5 bytes without leading zeros.
    ///
    /// # Errors
    /// [`Error::PartialIv`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let shortest = match bytes {
            [] => false,
            [_] => true,
            [first, ..] => *first != 0,
        };
        if !shortest || bytes.len() > 5 {
            return Err(Error::PartialIv);
        }
        let mut value = [0; 5];
        for (to, from) in value.iter_mut().rev().zip(bytes.iter().rev()) {
            *to = *from;
        }
        Ok(Self(value))
    }

    /// The shortest encoding; zero takes one byte.
    pub fn as_bytes(&self) -> &[u8] {
        let leading = self.0.iter().take(4).take_while(|b| **b == 0).count();
        self.0.get(leading..).unwrap_or_default()
    }

    /// The sequence number.
    pub fn sequence(&self) -> u64 {
        let [a, b, c, d, e] = self.0;
        u64::from_be_bytes([0, 0, 0, a, b, c, d, e])
    }
}

/// Which sequence numbers of the other side have been received (section 7.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayWindow {
    /// One above the highest number received; 0 when nothing has been.
    next: u64,
    /// Bit n: number `next - 1 - n` has been received.
    seen: u64,
}

impl ReplayWindow {
    /// Whether this number is new. Changes nothing: a number is only taken as
    /// received after its message has been authenticated.
    ///
    /// # Errors
    /// [`Error::Replay`] when it was received, or is older than the window.
    pub fn check(&self, piv: &PartialIv) -> Result<(), Error> {
        let Some(age) = self.next.checked_sub(piv.sequence().saturating_add(1)) else {
            return Ok(());
        };
        if age >= WINDOW || (self.seen >> age) & 1 == 1 {
            return Err(Error::Replay);
        }
        Ok(())
    }

    /// Takes a number as received.
    pub(crate) fn commit(&mut self, piv: &PartialIv) {
        let next = piv.sequence().saturating_add(1);
        match next.checked_sub(self.next) {
            Some(0) | None => {
                let age = self.next.saturating_sub(next);
                if age < WINDOW {
                    self.seen |= 1 << age;
                }
            }
            Some(ahead) => {
                self.seen = if ahead < WINDOW {
                    self.seen << ahead
                } else {
                    0
                };
                self.seen |= 1;
                self.next = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piv(n: u64) -> PartialIv {
        PartialIv::new(n).unwrap()
    }

    #[test]
    fn partial_iv_is_in_its_shortest_form() {
        for (number, bytes) in [
            (0, &[0][..]),
            (0xff, &[0xff]),
            (0x100, &[1, 0]),
            ((1 << 40) - 1, &[0xff; 5]),
        ] {
            assert_eq!(piv(number).as_bytes(), bytes);
            assert_eq!(PartialIv::decode(bytes).unwrap().sequence(), number);
        }
        assert_eq!(PartialIv::new(1 << 40), Err(Error::SequenceExhausted));
        for bad in [&[][..], &[0, 0], &[0, 1], &[1; 6]] {
            assert_eq!(PartialIv::decode(bad), Err(Error::PartialIv));
        }
    }

    #[test]
    fn window_takes_each_number_once() {
        let mut window = ReplayWindow::default();
        let mut model = std::collections::BTreeSet::new();
        let mut highest = 0;
        // A fixed walk that goes ahead, back, far ahead and out of the window.
        for step in 0..4000_u64 {
            let number = (step * step * 7 + step) % 97 + step / 2 + (step / 1000) * 500;
            let stale = !model.is_empty() && highest >= WINDOW && number <= highest - WINDOW;
            let new = !stale && !model.contains(&number);
            assert_eq!(window.check(&piv(number)).is_ok(), new, "number {number}");
            if new {
                window.commit(&piv(number));
                model.insert(number);
                highest = highest.max(number);
            }
        }
    }

    #[test]
    fn window_takes_the_highest_number() {
        let mut window = ReplayWindow::default();
        window.commit(&piv(0));
        window.commit(&piv((1 << 40) - 1));
        assert_eq!(window.check(&piv((1 << 40) - 1)), Err(Error::Replay));
        assert_eq!(window.check(&piv(0)), Err(Error::Replay));
        assert_eq!(window.check(&piv((1 << 40) - 2)), Ok(()));
    }

    #[test]
    fn equal_or_long_identifiers_are_refused() {
        let derive = |sender_id, recipient_id| {
            SecurityContext::derive(&Parameters {
                master_secret: &[1; 16],
                master_salt: &[],
                sender_id,
                recipient_id,
                id_context: None,
            })
            .map(|_| ())
        };
        assert_eq!(derive(&[1], &[1]), Err(Error::Identifiers));
        assert_eq!(derive(&[1; 8], &[1]), Err(Error::Identifiers));
        assert_eq!(derive(&[1; 7], &[]), Ok(()));
    }
}
