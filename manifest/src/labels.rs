//! Numbers from draft-ietf-suit-manifest, RFC 9052 and RFC 9864 that the
//! decoder and the encoder share.

/// CBOR tag of a SUIT envelope.
pub(crate) const TAG_ENVELOPE: u8 = 107;
/// CBOR tag of a COSE_Sign1 (RFC 9052, section 2).
pub(crate) const TAG_SIGN1: u8 = 18;

/// `suit-authentication-wrapper`, in the envelope.
pub(crate) const AUTHENTICATION: u64 = 2;
/// `suit-manifest`, in the envelope.
pub(crate) const MANIFEST: u64 = 3;
/// `suit-text`, in the envelope, and its digest in the manifest.
pub(crate) const TEXT: u64 = 23;

/// `suit-manifest-version`.
pub(crate) const VERSION: u64 = 1;
/// `suit-manifest-sequence-number`.
pub(crate) const SEQUENCE_NUMBER: u64 = 2;
/// `suit-common`.
pub(crate) const COMMON: u64 = 3;
/// `suit-validate`.
pub(crate) const VALIDATE: u64 = 7;
/// `suit-invoke`.
pub(crate) const INVOKE: u64 = 9;
/// `suit-payload-fetch`.
pub(crate) const PAYLOAD_FETCH: u64 = 16;
/// `suit-install`.
pub(crate) const INSTALL: u64 = 20;

/// `suit-components`, in common.
pub(crate) const COMPONENTS: u64 = 2;
/// `suit-shared-sequence`, in common.
pub(crate) const SHARED_SEQUENCE: u64 = 4;

/// `suit-condition-vendor-identifier`.
pub(crate) const CONDITION_VENDOR: u64 = 1;
/// `suit-condition-class-identifier`.
pub(crate) const CONDITION_CLASS: u64 = 2;
/// `suit-condition-image-match`.
pub(crate) const CONDITION_IMAGE_MATCH: u64 = 3;
/// `suit-directive-override-parameters`.
pub(crate) const OVERRIDE_PARAMETERS: u64 = 20;
/// `suit-directive-fetch`.
pub(crate) const FETCH: u64 = 21;
/// `suit-directive-invoke`.
pub(crate) const DIRECTIVE_INVOKE: u64 = 23;

/// `suit-parameter-vendor-identifier`.
pub(crate) const PARAMETER_VENDOR: u64 = 1;
/// `suit-parameter-class-identifier`.
pub(crate) const PARAMETER_CLASS: u64 = 2;
/// `suit-parameter-image-digest`.
pub(crate) const PARAMETER_DIGEST: u64 = 3;
/// `suit-parameter-image-size`.
pub(crate) const PARAMETER_SIZE: u64 = 14;
/// `suit-parameter-uri`.
pub(crate) const PARAMETER_URI: u64 = 21;
/// `suit-parameter-invoke-args`.
pub(crate) const PARAMETER_INVOKE_ARGS: u64 = 23;

/// Reporting policy of a condition: records and system information, on success
/// and on failure, as in the draft's examples.
pub(crate) const REPORT_CONDITION: u64 = 15;
/// Reporting policy of a directive: a record on failure, as in the draft's
/// examples.
pub(crate) const REPORT_DIRECTIVE: u64 = 2;

/// The only manifest version there is.
pub(crate) const SUPPORTED_VERSION: u64 = 1;

/// What follows the component's name in the URI of a detached payload.
///
/// The URI `vm1/payload` is a relative reference: resolved against the resource
/// that took the envelope, `/vm-control/vm1`, it is the resource that takes the
/// payload, `/vm-control/vm1/payload`.
pub(crate) const PAYLOAD_SUFFIX: &str = "/payload";

/// COSE header parameter `alg`.
pub(crate) const HEADER_ALG: u64 = 1;
/// COSE header parameter `kid`.
pub(crate) const HEADER_KID: u64 = 4;
/// COSE algorithm SHA-256.
pub(crate) const ALG_SHA_256: i64 = -16;
/// COSE algorithm Ed25519, fully specified (RFC 9864).
pub(crate) const ALG_ED25519: i64 = -19;
/// COSE algorithm EdDSA, which RFC 9864 deprecates.
pub(crate) const ALG_EDDSA: i64 = -8;

/// Keys of the map in `invoke-args`, which is our own.
pub(crate) mod args {
    /// Engine profile, text.
    pub(crate) const PROFILE: u64 = 1;
    /// Fuel per call.
    pub(crate) const FUEL: u64 = 2;
    /// Linear memory limit, bytes.
    pub(crate) const MEMORY: u64 = 3;
    /// Stack limit, bytes.
    pub(crate) const STACK: u64 = 4;
    /// Grants, a bit field.
    pub(crate) const GRANTS: u64 = 5;
    /// Kind: 0 persistent, 1 ephemeral.
    pub(crate) const KIND: u64 = 6;
    /// Rollback floor.
    pub(crate) const FLOOR: u64 = 7;
    /// SHA-256 of the source Wasm.
    pub(crate) const SOURCE_DIGEST: u64 = 8;
    /// Signatures that are needed, if more than one.
    pub(crate) const SIGNATURES: u64 = 9;
}
