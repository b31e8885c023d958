//! Which wireless network a device joins: two lines of text in a flash page of
//! its own, so that one image serves everybody and no password is in it.
//!
//! ```sh
//! printf 'network\npassword\n' > wifi     # an empty second line: an open network
//! ```

use alloc::string::String;
use core::fmt;

use embedded_storage::nor_flash::NorFlash;

/// The longest text, in bytes.
const LONGEST: usize = 256;
/// The longest name of a network (IEEE 802.11-2020, 9.4.2.2), in bytes.
const LONGEST_NAME: usize = 32;
/// A passphrase is this long (IEEE 802.11-2020, J.4.1), in ASCII characters.
const PASSPHRASE: core::ops::RangeInclusive<usize> = 8..=63;

/// A wireless network.
#[derive(Clone, PartialEq, Eq)]
pub struct Wifi {
    /// Its name, the SSID.
    pub name: String,
    /// Its passphrase; empty where it is open.
    pub passphrase: String,
}

/// Why there is no network to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WifiError {
    /// The flash failed, or is too small.
    Flash,
    /// The page is erased.
    Missing,
    /// It is not two lines of text.
    Text,
    /// The name is not 1 to 32 bytes long.
    Name,
    /// The passphrase is not 8 to 63 ASCII characters long, and not empty.
    Passphrase,
}

impl fmt::Display for WifiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flash => "the flash failed where the name of the wireless network should be",
            Self::Missing => "this device was told no wireless network",
            Self::Text => "what the device was told of a wireless network is not two lines",
            Self::Name => "the name of a wireless network has 1 to 32 bytes",
            Self::Passphrase => "the passphrase of a wireless network has 8 to 63 characters",
        })
    }
}

impl core::error::Error for WifiError {}

/// Without the passphrase: logs are read by others.
impl fmt::Debug for Wifi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wifi")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Reads the network from the page at `address`.
///
/// # Errors
///
/// [`WifiError`].
pub fn read<F: NorFlash>(flash: &mut F, address: u32) -> Result<Wifi, WifiError> {
    let mut text = [0; LONGEST];
    flash
        .read(address, &mut text)
        .map_err(|_| WifiError::Flash)?;
    Wifi::decode(&text)
}

impl Wifi {
    /// Reads two lines; behind them is erased flash, or nothing.
    ///
    /// # Errors
    ///
    /// [`WifiError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WifiError> {
        if bytes.iter().all(|byte| *byte == 0xff) {
            return Err(WifiError::Missing);
        }
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let name = line(&mut lines)?;
        let passphrase = line(&mut lines)?;
        // A second line without its end would be one that was cut short.
        let rest = lines.next().ok_or(WifiError::Text)?;
        if lines.next().is_some() || rest.iter().any(|byte| *byte != 0xff) {
            return Err(WifiError::Text);
        }
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err(WifiError::Name);
        }
        let printable = passphrase.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let good = printable && PASSPHRASE.contains(&passphrase.len());
        if !good && !passphrase.is_empty() {
            return Err(WifiError::Passphrase);
        }
        Ok(Self {
            name: name.into(),
            passphrase: passphrase.into(),
        })
    }
}

fn line<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> Result<&'a str, WifiError> {
    let line = lines.next().ok_or(WifiError::Text)?;
    core::str::from_utf8(line).map_err(|_| WifiError::Text)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use sealift_storage::sim::MockFlash;

    use super::*;

    fn page(text: &str) -> Vec<u8> {
        let mut page = text.as_bytes().to_vec();
        page.resize(LONGEST, 0xff);
        page
    }

    fn decode(text: &str) -> Result<Wifi, WifiError> {
        Wifi::decode(&page(text))
    }

    #[test]
    fn two_lines_are_a_network() {
        let wifi = decode("at home\ncorrect horse\n").unwrap();
        assert_eq!(wifi.name, "at home");
        assert_eq!(wifi.passphrase, "correct horse");
        assert_eq!(decode("cafe\n\n").unwrap().passphrase, "");
    }

    #[test]
    fn it_is_read_from_its_page() {
        let mut flash = MockFlash::<4, 4096>::new(2);
        assert_eq!(read(&mut flash, 4096), Err(WifiError::Missing));
        flash.write(4096, &page("cafe\n\n")).unwrap();
        assert_eq!(read(&mut flash, 4096).unwrap().name, "cafe");
        assert_eq!(read(&mut flash, 8192), Err(WifiError::Flash));
    }

    #[test]
    fn everything_else_is_refused() {
        let (name, phrase) = ("n".repeat(33), "p".repeat(64));
        for (text, error) in [
            ("cafe", WifiError::Text),
            ("cafe\n", WifiError::Text),
            ("cafe\ncorrect horse", WifiError::Text),
            ("cafe\ncorrect horse\nmore", WifiError::Text),
            ("cafe\ncorrect horse\n\n", WifiError::Text),
            ("\ncorrect horse\n", WifiError::Name),
            (&format!("{name}\n\n"), WifiError::Name),
            ("cafe\n1234567\n", WifiError::Passphrase),
            ("cafe\n12345\u{e4}78\n", WifiError::Passphrase),
            (&format!("cafe\n{phrase}\n"), WifiError::Passphrase),
        ] {
            assert_eq!(decode(text), Err(error), "{text:?}");
        }
        assert_eq!(Wifi::decode(&[0; LONGEST]), Err(WifiError::Text));
        assert_eq!(Wifi::decode(&[]), Err(WifiError::Missing));
    }

    #[test]
    fn a_passphrase_is_not_in_the_log() {
        let wifi = decode("cafe\ncorrect horse\n").unwrap();
        assert!(!format!("{wifi:?}").contains("horse"));
    }
}
