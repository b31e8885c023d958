//! Keys in the formats of other people's tools: the private key as PKCS#8
//! (RFC 8410), encrypted with PBES2 (scrypt, AES-256) where there is a
//! passphrase; the public key as SubjectPublicKeyInfo; both in PEM.

use std::fmt;

use ed25519_compact::{KeyPair, Noise, Seed};
use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::der::{Decode, Encode, pem::LineEnding};
use pkcs8::pkcs5::{self, pbes2, scrypt};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{Document, EncryptedPrivateKeyInfo, ObjectIdentifier, PrivateKeyInfo, SecretDocument};
use rand_core::{OsRng, RngCore};
use sealift_manifest::{PublicKey, Sign};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// id-Ed25519 (RFC 8410, section 3).
const ED25519: AlgorithmIdentifierRef<'static> = AlgorithmIdentifierRef {
    oid: ObjectIdentifier::new_unwrap("1.3.101.112"),
    parameters: None,
};

/// The cost of trying a passphrase: log2 of N, r and p. As hard as N = 2^17
/// with p = 1, in 16 MiB of memory instead of 128, because OpenSSL refuses to
/// read keys that need more than 32.
const SCRYPT: (u8, u32, u32) = (14, 8, 5);

const PRIVATE: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// A translator's signing key. Its bytes are wiped when it is dropped, and it
/// has no `Debug` or `Display` that would show them.
pub struct Key {
    pair: KeyPair,
    public: PublicKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.public.key_id())
    }
}

/// Deterministic (RFC 8032): the same manifest is signed with the same bytes.
impl Sign for Key {
    fn public_key(&self) -> [u8; 32] {
        self.public.to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        *self.pair.sk.sign(message, None::<Noise>)
    }
}

impl Key {
    /// A new key from the system's random numbers.
    ///
    /// # Errors
    ///
    /// [`Error::KeyGeneration`].
    pub fn generate() -> Result<Self> {
        let mut seed = Zeroizing::new([0; Seed::BYTES]);
        OsRng
            .try_fill_bytes(seed.as_mut())
            .map_err(|e| Error::KeyGeneration(e.to_string()))?;
        Self::from_seed(&seed).ok_or_else(|| Error::KeyGeneration("unusable seed".into()))
    }

    /// The key of an Ed25519 seed (RFC 8032), or `None` where it cannot be
    /// used.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        let pair = KeyPair::try_from_seed(Seed::new(*seed)).ok()?;
        let public = PublicKey::from_bytes(&pair.pk).ok()?;
        Some(Self { pair, public })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key as PKCS#8 PEM, encrypted where there is a passphrase.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyPassphrase`], [`Error::KeyGeneration`].
    pub fn to_pem(&self, passphrase: Option<&str>) -> Result<Zeroizing<String>> {
        let failed = |e: pkcs8::Error| Error::KeyGeneration(e.to_string());
        // A secret key is its seed and its public key.
        let (seed, _) = self.pair.sk.split_at(Seed::BYTES);
        let inner = OctetStringRef::new(seed)
            .and_then(|octets| octets.to_der())
            .map(Zeroizing::new)
            .map_err(|e| failed(e.into()))?;
        let info = PrivateKeyInfo::new(ED25519, &inner);
        let (label, document) = match passphrase {
            None => (
                PRIVATE,
                SecretDocument::encode_msg(&info).map_err(|e| failed(e.into()))?,
            ),
            Some("") => return Err(Error::EmptyPassphrase),
            Some(passphrase) => (ENCRYPTED, encrypt(&info, passphrase)?),
        };
        document
            .to_pem(label, LineEnding::LF)
            .map_err(|e| failed(e.into()))
    }

    /// Reads a key from PKCS#8 PEM. `name` is what an error calls it.
    ///
    /// # Errors
    ///
    /// [`Error::NotAKey`], [`Error::PassphraseNeeded`],
    /// [`Error::UnknownEncryption`], [`Error::WrongPassphrase`].
    pub fn from_pem(pem: &str, name: &str, passphrase: Option<&str>) -> Result<Self> {
        use pkcs5::Error::{AlgorithmParametersInvalid, NoPbes1CryptSupport, UnsupportedAlgorithm};

        let not_a_key = || Error::NotAKey(name.to_owned());
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_| not_a_key())?;
        match label {
            PRIVATE => Self::from_info(document.as_bytes()).ok_or_else(not_a_key),
            ENCRYPTED => {
                let wrong = || Error::WrongPassphrase(name.to_owned());
                let unknown = || Error::UnknownEncryption(name.to_owned());
                let info = EncryptedPrivateKeyInfo::try_from(document.as_bytes())
                    .map_err(|_| unknown())?;
                let passphrase = passphrase.ok_or(Error::PassphraseNeeded)?;
                let document = info.decrypt(passphrase).map_err(|error| match error {
                    pkcs8::Error::EncryptedPrivateKey(
                        UnsupportedAlgorithm { .. }
                        | AlgorithmParametersInvalid { .. }
                        | NoPbes1CryptSupport,
                    ) => unknown(),
                    _ => wrong(),
                })?;
                // CBC has no check of its own: by chance, the wrong passphrase
                // gives bytes that only look like a document.
                if PrivateKeyInfo::try_from(document.as_bytes()).is_err() {
                    return Err(wrong());
                }
                Self::from_info(document.as_bytes()).ok_or_else(not_a_key)
            }
            _ => Err(not_a_key()),
        }
    }

    /// Whether reading this PEM needs a passphrase.
    #[must_use]
    pub fn is_encrypted(pem: &str) -> bool {
        SecretDocument::from_pem(pem).is_ok_and(|(label, _)| label == ENCRYPTED)
    }

    fn from_info(der: &[u8]) -> Option<Self> {
        let info = PrivateKeyInfo::try_from(der).ok()?;
        if info.algorithm != ED25519 {
            return None;
        }
        let seed = OctetStringRef::from_der(info.private_key).ok()?;
        let seed = Zeroizing::new(<[u8; 32]>::try_from(seed.as_bytes()).ok()?);
        let key = Self::from_seed(&seed)?;
        // Where the file carries the public key too, it has to be this one's.
        match info.public_key {
            Some(public) if public != key.public.to_bytes() => None,
            _ => Some(key),
        }
    }
}

/// Encrypts with PBES2: scrypt and AES-256-CBC.
fn encrypt(info: &PrivateKeyInfo<'_>, passphrase: &str) -> Result<SecretDocument> {
    let failed = |e: &dyn fmt::Display| Error::KeyGeneration(e.to_string());
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    for random in [&mut salt, &mut iv] {
        OsRng.try_fill_bytes(random).map_err(|e| failed(&e))?;
    }
    let (log_n, r, p) = SCRYPT;
    let cost = scrypt::Params::new(log_n, r, p, 32).map_err(|e| failed(&e))?;
    let parameters =
        pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &iv).map_err(|e| failed(&e))?;
    info.encrypt_with_params(parameters, passphrase)
        .map_err(|e| failed(&e))
}

/// A public key as SubjectPublicKeyInfo in PEM (RFC 8410, section 4).
///
/// # Errors
///
/// [`Error::KeyGeneration`] where it cannot be encoded.
pub fn to_public_pem(key: &PublicKey) -> Result<String> {
    let failed = |e: pkcs8::der::Error| Error::KeyGeneration(e.to_string());
    let bytes = key.to_bytes();
    let info = SubjectPublicKeyInfoRef {
        algorithm: ED25519,
        subject_public_key: BitStringRef::from_bytes(&bytes).map_err(failed)?,
    };
    Document::encode_msg(&info)
        .and_then(|document| document.to_pem(PUBLIC, LineEnding::LF))
        .map_err(failed)
}

/// Reads a public key from SubjectPublicKeyInfo in PEM. `name` is what an
/// error calls it.
///
/// # Errors
///
/// [`Error::NotAPublicKey`], also for a point that is not canonical or of
/// small order.
pub fn from_public_pem(pem: &str, name: &str) -> Result<PublicKey> {
    let parse = || {
        let (label, document) = Document::from_pem(pem).ok()?;
        let info = SubjectPublicKeyInfoRef::from_der(document.as_bytes()).ok()?;
        let bytes = info.subject_public_key.as_bytes()?;
        let bytes = <&[u8; 32]>::try_from(bytes).ok()?;
        (label == PUBLIC && info.algorithm == ED25519)
            .then(|| PublicKey::from_bytes(bytes).ok())
            .flatten()
    };
    parse().ok_or_else(|| Error::NotAPublicKey(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.3.
    const RFC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    /// RFC 8410, section 10.1.
    const RFC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn the_keys_of_rfc_8410_are_read_and_written_alike() {
        let key = Key::from_pem(RFC_PRIVATE, "key", None).expect("a key");
        assert_eq!(*key.to_pem(None).expect("pem"), RFC_PRIVATE);
        assert_eq!(to_public_pem(key.public()).expect("pem"), RFC_PUBLIC);
        let public = from_public_pem(RFC_PUBLIC, "key").expect("a key");
        assert_eq!(public.to_bytes(), key.public().to_bytes());
    }

    #[test]
    fn a_passphrase_locks_the_key() {
        let key = Key::generate().expect("random numbers");
        let pem = key.to_pem(Some("open sesame")).expect("pem");
        assert!(Key::is_encrypted(&pem));
        let read = |passphrase| Key::from_pem(&pem, "key", passphrase);
        assert_eq!(
            read(Some("open sesame"))
                .expect("opens")
                .public()
                .to_bytes(),
            key.public().to_bytes()
        );
        assert!(matches!(
            read(Some("open barley")),
            Err(Error::WrongPassphrase(name)) if name == "key"
        ));
        assert!(matches!(read(None), Err(Error::PassphraseNeeded)));
        assert_ne!(
            *pem,
            *key.to_pem(Some("open sesame")).expect("pem"),
            "salted"
        );
        assert!(matches!(key.to_pem(Some("")), Err(Error::EmptyPassphrase)));
    }

    /// Keys by OpenSSL with the passphrase "secret": one with DES-EDE3-CBC, one with
    /// PBKDF2 and HMAC-SHA-1.
    const OTHERWISE_ENCRYPTED: [&str; 2] = [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
        MIGKME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAi+esKOr6Cc5QICCAAw\n\
        DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIrRFMzlmsqOwEOEEUOvqnaXDiLI9v\n\
        Pw8B3AJZXYW/jPpRKEKD8jgqip31atIVLuov7A+MPK8z4zAbzh5Au+IZPwox\n\
        -----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
        MIGMMEgGCSqGSIb3DQEFDTA7MBoGCSqGSIb3DQEFDDANBAiSxfcwBn/F/QIBCjAd\n\
        BglghkgBZQMEASoEEHNoWWDQ9tIUnL85ZB7xbLUEQFEZOj0lmm5CMGeqBGnJxU8N\n\
        A8iBFN3MtcPh5MXszKYzs4zPnWBTx1ohvMGawUr1bnD3APDufNJ7HENgMTQER2c=\n\
        -----END ENCRYPTED PRIVATE KEY-----\n",
    ];

    #[test]
    fn encryption_that_is_not_known_is_no_wrong_passphrase() {
        for pem in OTHERWISE_ENCRYPTED {
            let error = Key::from_pem(pem, "key", Some("secret")).expect_err("refused");
            assert!(matches!(error, Error::UnknownEncryption(_)), "{error}");
        }
    }

    #[test]
    fn other_keys_are_refused() {
        // An X25519 key: the same shape under another algorithm.
        let other = RFC_PRIVATE.replace("MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vu");
        let broken = RFC_PRIVATE.replace("dVhC", "dVh");
        for pem in ["", "not a key", &other, &broken, RFC_PUBLIC] {
            assert!(matches!(
                Key::from_pem(pem, "key", None),
                Err(Error::NotAKey(_))
            ));
        }
        let other = RFC_PUBLIC.replace("BQYDK2Vw", "BQYDK2Vu");
        let small_order = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
            -----END PUBLIC KEY-----\n";
        for pem in ["", &other, small_order, RFC_PRIVATE] {
            assert!(matches!(
                from_public_pem(pem, "key"),
                Err(Error::NotAPublicKey(_))
            ));
        }
    }

    #[test]
    fn signing_is_deterministic_and_keys_do_not_print_their_secret() {
        let key = Key::from_seed(&[7; 32]).expect("a key");
        assert_eq!(key.sign(b"x"), key.sign(b"x"));
        assert_eq!(
            format!("{key:?}"),
            format!("Key({})", key.public().key_id())
        );
    }
}
