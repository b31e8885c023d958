//! Why a device refuses: what a peer is told.

use core::fmt;

macro_rules! refusals {
    ($( $(#[$doc:meta])* $name:ident = $number:literal, ($class:literal, $detail:literal), $text:literal; )*) => {
        /// A reason for which a device refuses a request.
        ///
        /// Deliberately coarse: the device's log has the exact cause. The
        /// numbers are stable. On the wire a refusal is the response code of
        /// [`Refusal::code`] with the diagnostic payload (RFC 7252, 5.5.2)
        /// that [`fmt::Display`] writes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Refusal {
            $( $(#[$doc])* $name = $number, )*
        }

        impl Refusal {
            /// Every refusal, in the order of their numbers.
            pub const ALL: &[Refusal] = &[ $( Refusal::$name, )* ];

            /// The CoAP response code, as its byte: class * 32 + detail.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $( Refusal::$name => $class << 5 | $detail, )* }
            }

            /// The sentence that a peer is shown.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $( Refusal::$name => $text, )* }
            }
        }
    };
}

refusals! {
    /// The peer's role does not allow this.
    NotAllowed = 1, (4, 3), "this credential has no role that allows this";
    /// No such resource.
    NotFound = 2, (4, 4), "no such resource";
    /// The resource does not take this method.
    MethodNotAllowed = 3, (4, 5), "the resource does not take this method";
    /// A critical option that the device does not know (RFC 7252, 5.4.1).
    BadOption = 4, (4, 2), "unknown critical option";
    /// The request does not parse or lacks something.
    BadRequest = 5, (4, 0), "malformed request";
    /// Blocks must arrive in order (RFC 7959, 2.9.2).
    BlockOutOfOrder = 6, (4, 8), "block out of order";
    /// No component of this name.
    UnknownComponent = 7, (4, 4), "the device has no component of this name";
    /// The body is larger than the device takes here.
    TooLarge = 8, (4, 13), "larger than the device takes here";
    /// The device is busy with something that excludes this.
    Busy = 9, (5, 3), "the device is busy, try again";
    /// A bug or broken hardware; the log has more.
    Internal = 10, (5, 0), "internal error, see the device log";

    /// The resource has no representation in the format of `Accept`.
    NotAcceptable = 11, (4, 6), "not available in the format that is asked for";
    /// The request may be an old one that was held back: it has to be made
    /// again with the Echo option of this answer (RFC 9175, 2.3).
    Stale = 12, (4, 1), "make the request again, with the Echo option of this answer";

    /// The envelope is not of the SUIT profile.
    Malformed = 20, (4, 0), "not a well-formed envelope of the SUIT profile";
    /// No signature by a trusted translator key, or a bad one.
    Untrusted = 21, (4, 3), "not signed by a trusted translator";
    /// The manifest is not the one that was signed.
    Tampered = 22, (4, 3), "the envelope was altered after it was signed";
    /// Made for another vendor or class of device.
    WrongDevice = 23, (4, 9), "made for another vendor or class of device";
    /// The manifest names another component than the path.
    WrongComponent = 24, (4, 9), "the manifest is for another component";
    /// Translated for another engine profile.
    WrongProfile = 25, (4, 9), "translated for another engine profile";
    /// The sequence number is not above the highest that was ever activated.
    OldSequence = 26, (4, 9), "the sequence number is not above the highest activated";
    /// The sequence number is under the rollback floor.
    BelowFloor = 27, (4, 9), "the sequence number is under the rollback floor";
    /// The payload does not fit into a slot.
    NoSpace = 28, (4, 13), "the payload is larger than the slot";
    /// The manifest asks for limits that the device does not give.
    LimitsTooHigh = 29, (4, 9), "the manifest asks for more memory, stack or fuel than the device gives";
    /// The payload is not the one that the manifest describes.
    WrongPayload = 30, (4, 9), "the payload does not match the signed digest";
    /// The capsule imports an interface that the manifest does not grant.
    Ungranted = 31, (4, 9), "the capsule imports an interface that it was not granted";
    /// The payload does not export what its kind of capsule must.
    NotACapsule = 32, (4, 9), "the payload does not export what its kind of capsule must";
    /// A persistent capsule where an ephemeral one is needed, or the reverse.
    WrongKind = 33, (4, 9), "the capsule is of the other kind, persistent or ephemeral";
    /// The manifest grants an interface that this board does not offer.
    NotOffered = 34, (4, 9), "the manifest grants an interface that this board does not offer";
    /// A job with a higher sequence number was run before.
    OldJob = 35, (4, 9), "a job with a higher sequence number was run before";

    /// The device was provisioned without root keys.
    NoRoot = 36, (4, 3), "this device takes no trust records: it has no root key";
    /// The payload is no trust record.
    NotARecord = 37, (4, 9), "not a trust record that can be read";
    /// A trust record after which somebody could not go on: too few translators,
    /// no deployer, or its sender is none any more.
    LockOut = 38, (4, 9), "the trust record would lock somebody out, or gives a key two parts";

    /// No transfer is open.
    NoTransfer = 40, (4, 9), "no transfer is open: send the envelope first";
    /// More bytes than the manifest announced.
    TooLong = 41, (4, 9), "more bytes than the manifest announced";
    /// The transfer ended too early.
    Truncated = 42, (4, 9), "fewer bytes than the manifest announced";
    /// Blocks do not start where the transfer stands.
    WrongOffset = 43, (4, 8), "the block does not start where the transfer stands";
    /// Confirm without a trial.
    NoTrial = 44, (4, 9), "no trial to confirm";
    /// Nothing to go back to.
    NoPrevious = 45, (4, 9), "no previous capsule to go back to";
    /// A trial must be confirmed or rolled back first.
    TrialPending = 46, (4, 9), "a trial is pending: confirm it or roll back first";
    /// The component has no capsule.
    NoCapsule = 47, (4, 4), "the component has no running capsule";
    /// A manifest with an integrated payload came where a detached one is
    /// needed, or the reverse.
    WrongDelivery = 48, (4, 9), "this resource needs the other delivery, integrated or detached";
    /// Somebody else is sending to this component.
    OtherTransfer = 49, (5, 3), "another deployer is sending to this component";

    /// The capsule trapped.
    Trapped = 60, (5, 0), "the capsule trapped";
    /// The capsule used up its fuel.
    OutOfFuel = 61, (5, 0), "the capsule used up its fuel";
    /// The capsule was refused memory and gave up.
    OutOfMemory = 62, (5, 0), "the capsule exceeded its memory limit";
    /// The capsule used up its stack.
    StackOverflow = 63, (5, 0), "the capsule used up its stack";
    /// The capsule failed to initialise.
    InitFailed = 64, (5, 0), "the capsule failed to start and was put back";
    /// The capsule answered with something that is not a CoAP response.
    BadAnswer = 65, (5, 0), "the capsule gave an invalid answer";
    /// An ephemeral capsule reported an error of its own.
    JobFailed = 66, (5, 0), "the capsule reported an error";
    /// The capsule was replaced, rolled back or removed before it answered.
    Stopped = 67, (5, 3), "the capsule was stopped before it answered";
    /// The capsule did not end in the time that the device gives it.
    TookTooLong = 68, (5, 0), "the capsule took too long";
}

impl Refusal {
    /// The stable number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The refusal with this stable number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.number() == number)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.text(), self.number())
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn numbers_are_unique_and_found_again() {
        for (i, refusal) in Refusal::ALL.iter().enumerate() {
            assert_eq!(Refusal::from_number(refusal.number()), Some(*refusal));
            for other in &Refusal::ALL[i + 1..] {
                assert_ne!(refusal.number(), other.number());
                assert_ne!(refusal.text(), other.text());
            }
        }
    }

    #[test]
    fn codes_are_client_or_server_errors() {
        for refusal in Refusal::ALL {
            assert!(matches!(refusal.code() >> 5, 4 | 5), "{refusal}");
        }
    }
}
