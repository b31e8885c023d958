//! SUIT vendor and class identifiers from names (draft-ietf-suit-manifest,
//! 8.4.8.1).

use uuid::Uuid;

/// The vendor identifier of a domain name: its UUIDv5 in the DNS name space.
#[must_use]
pub fn vendor_id(domain: &str) -> [u8; 16] {
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, domain.as_bytes()).into_bytes()
}

/// The class identifier of a device class: the UUIDv5 of its name in the name
/// space of the vendor.
#[must_use]
pub fn class_id(vendor: &[u8; 16], class: &str) -> [u8; 16] {
    Uuid::new_v5(&Uuid::from_bytes(*vendor), class.as_bytes()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealift_engine::{DEFAULT_CLASS, DEFAULT_CLASS_ID, DEFAULT_VENDOR, DEFAULT_VENDOR_ID};

    #[test]
    fn names_give_the_identifiers_that_devices_have() {
        let vendor = vendor_id(DEFAULT_VENDOR);
        assert_eq!(vendor, DEFAULT_VENDOR_ID);
        assert_eq!(class_id(&vendor, DEFAULT_CLASS), DEFAULT_CLASS_ID);
    }

    #[test]
    fn the_example_of_the_draft() {
        // draft-ietf-suit-manifest, example in appendix B: example.com and
        // "HD_Example" are left to the reader; this vector is RFC 9562, A.4.
        let www = vendor_id("www.example.com");
        assert_eq!(
            Uuid::from_bytes(www).to_string(),
            "2ed6657d-e927-568b-95e1-2665a8aea6a2"
        );
    }
}
