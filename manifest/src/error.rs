//! One error for each check, with numbers that do not change.

use core::fmt;

/// What a device may tell a stranger about a refusal, without the detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The bytes are not an envelope of this profile.
    Malformed,
    /// The envelope may be well made, but not by someone that is trusted here.
    Untrusted,
    /// Something is not what was signed.
    Tampered,
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed envelope",
            Self::Untrusted => "not signed by a trusted key",
            Self::Tampered => "not what was signed",
        })
    }
}

macro_rules! errors {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $class:ident, $text:literal;)+) => {
        /// Why an envelope, a manifest or a payload was refused: one variant
        /// for each check.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Error {
            $($(#[doc = $doc])+ $name = $code,)+
        }

        impl Error {
            /// Every error there is, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The number of this error. Numbers are never used again for
            /// something else.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The coarse reason that a device may give to its peer.
            pub const fn class(self) -> ErrorClass {
                match self {
                    $(Self::$name => ErrorClass::$class,)+
                }
            }

            const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

errors! {
    // CBOR, wherever it stands.
    /// The input ends inside an item.
    Truncated = 1, Malformed, "the input ends too early";
    /// Bytes follow the last item.
    TrailingBytes = 2, Malformed, "there are bytes behind the end";
    /// A length or number is encoded in more bytes than it needs.
    NonMinimal = 3, Malformed, "a number is not in its shortest encoding";
    /// An item of indefinite length.
    Indefinite = 4, Malformed, "an item has an indefinite length";
    /// Additional information 28 to 30, which CBOR reserves.
    Reserved = 5, Malformed, "an item uses a reserved encoding";
    /// An item of another type than the one that belongs here.
    UnexpectedType = 6, Malformed, "an item has the wrong type";
    /// Map keys that are not in ascending order, or one that stands twice.
    KeyOrder = 7, Malformed, "map keys are not sorted or not unique";
    /// A map key that this profile does not have here.
    UnknownKey = 8, Malformed, "a map has an unknown key";
    /// A map key that is required is not there.
    MissingKey = 9, Malformed, "a map lacks a required key";
    /// An array with another number of elements.
    ArrayLength = 10, Malformed, "an array has the wrong number of elements";
    /// A text string that is not UTF-8.
    Utf8 = 11, Malformed, "a text is not UTF-8";
    /// A number, string or bit field larger than its field may be.
    OutOfRange = 12, Malformed, "a value is larger than its field may be";

    // The envelope.
    /// Not CBOR tag 107.
    NotAnEnvelope = 20, Malformed, "not a SUIT envelope";
    /// The head is longer than [`MAX_HEAD`](crate::MAX_HEAD).
    HeadTooLong = 21, Malformed, "the envelope head is too long";
    /// The integrated payload is longer than 2^32 - 1 bytes.
    PayloadTooLong = 22, Malformed, "the integrated payload is too long";
    /// The payload has no bytes.
    EmptyPayload = 23, Malformed, "the payload is empty";

    // The authentication wrapper.
    /// A digest by another algorithm than SHA-256.
    DigestAlgorithm = 30, Malformed, "a digest is not by SHA-256";
    /// A digest that is not 32 bytes long.
    DigestLength = 31, Malformed, "a digest is not 32 bytes long";
    /// No signature at all.
    NoSignature = 32, Untrusted, "the envelope is not signed";
    /// More signatures than [`MAX_SIGNATURES`](crate::MAX_SIGNATURES).
    TooManySignatures = 33, Malformed, "the envelope has too many signatures";
    /// An authentication block that is not a tagged COSE_Sign1.
    NotSign1 = 34, Malformed, "an authentication block is not a COSE_Sign1";
    /// COSE algorithm -8, which leaves the curve open and is deprecated.
    AlgorithmDeprecated = 35, Untrusted, "signed with the deprecated EdDSA (-8), not with Ed25519 (-19)";
    /// Another COSE algorithm than -19, Ed25519.
    Algorithm = 36, Untrusted, "not signed with Ed25519 (-19)";
    /// A key identifier that is not 8 bytes long.
    KeyIdLength = 37, Malformed, "a key identifier is not 8 bytes long";
    /// Something in the unprotected header, which has to be empty.
    UnprotectedHeader = 38, Malformed, "a signature has an unprotected header";
    /// A payload inside the signature, where it has to be detached.
    AttachedPayload = 39, Malformed, "a signature carries its own payload";
    /// A signature that is not 64 bytes long.
    SignatureLength = 40, Malformed, "a signature is not 64 bytes long";
    /// Signatures that are not in ascending order of key identifiers, or two
    /// by one key.
    SignatureOrder = 41, Malformed, "the signatures are not in the order of their keys";

    // How many signatures, and by whom.
    /// Fewer signatures than the verifier asks for.
    BelowThreshold = 42, Untrusted, "fewer signatures than are asked for here";
    /// Fewer signatures than the manifest itself asks for.
    TooFewSignatures = 43, Untrusted, "fewer signatures than the manifest asks for";
    /// A signature by a key that is trusted, but not for this component.
    OutOfScope = 44, Untrusted, "signed by a key that may not sign for this component";

    // Authenticity.
    /// The digest in the authentication wrapper is not that of the manifest.
    ManifestDigest = 50, Tampered, "the manifest is not the one that was signed";
    /// A signature by a key that is not trusted here.
    UntrustedKey = 51, Untrusted, "signed by a key that is not trusted here";
    /// The scalar of a signature is not reduced.
    SignatureScalar = 52, Tampered, "the scalar of a signature is not canonical";
    /// The point R of a signature is not canonical, not on the curve or of
    /// small order.
    SignaturePoint = 53, Tampered, "the point of a signature is not acceptable";
    /// A signature does not fit to key and manifest.
    SignatureMismatch = 54, Tampered, "a signature does not match";
    /// The text is not the one that the manifest names.
    TextDigest = 55, Tampered, "the text is not the one that was signed";

    // The manifest.
    /// Another manifest version than 1.
    Version = 60, Malformed, "the manifest version is not supported";
    /// Not exactly one component with one segment.
    Component = 61, Malformed, "the manifest is not for exactly one component";
    /// A component name that is not 1 to 16 of `a-z`, `0-9` and `-`.
    ComponentName = 62, Malformed, "the component name is not acceptable";
    /// A vendor or class identifier that is not 16 bytes long.
    IdentifierLength = 63, Malformed, "a vendor or class identifier is not 16 bytes long";
    /// A command that does not belong here.
    Command = 64, Malformed, "a command sequence has a command that does not belong there";
    /// Another reporting policy than the fixed one.
    ReportPolicy = 65, Malformed, "a command has an unexpected reporting policy";
    /// A URI that is neither of the two fixed ones.
    Uri = 66, Malformed, "the payload URI is not acceptable";
    /// The manifest fetches a detached payload and the envelope has one inside,
    /// or the other way round.
    Delivery = 67, Malformed, "manifest and envelope differ on where the payload is";
    /// The integrated payload has another length than the manifest says.
    IntegratedSize = 68, Tampered, "the integrated payload has the wrong length";
    /// The envelope has text that the manifest does not name.
    UnsignedText = 69, Tampered, "the envelope has text that is not signed";

    // The arguments for the runtime.
    /// An engine profile name that is empty or not printable ASCII.
    Profile = 80, Malformed, "the engine profile name is not acceptable";
    /// A grant that this version does not know.
    UnknownGrant = 81, Malformed, "the manifest grants something unknown";
    /// A kind that this version does not know.
    UnknownKind = 82, Malformed, "the capsule is of an unknown kind";
    /// A rollback floor above the manifest's own sequence number.
    FloorAboveSequence = 83, Malformed, "the rollback floor is above the sequence number";
    /// A number of signatures that is not 2 to
    /// [`MAX_SIGNATURES`](crate::MAX_SIGNATURES).
    SignatureCount = 84, Malformed, "the number of signatures asked for is not acceptable";

    // The payload.
    /// The payload is not as long as the manifest says.
    PayloadSize = 90, Tampered, "the payload has the wrong length";
    /// The payload is not the one that the manifest describes.
    PayloadDigest = 91, Tampered, "the payload is not the one that was signed";
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for Error {}

/// Why bytes are not acceptable as a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KeyError {
    /// Not the canonical encoding of a point on the curve.
    NotAPoint = 1,
    /// A point of small order, for which signatures can be made without a
    /// secret.
    SmallOrder = 2,
}

impl KeyError {
    /// The number of this error.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAPoint => "not the canonical encoding of an Ed25519 public key",
            Self::SmallOrder => "an Ed25519 public key of small order",
        })
    }
}

impl core::error::Error for KeyError {}
