//! Text for humans: the SUIT_Text_Map (section 8.4.4 of the draft).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::Error;
use crate::cbor::{Major, Reader};
use crate::encode::Writer;

/// Text for humans, in one language. Devices check that it is what was signed
/// and otherwise ignore it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Text {
    language: String,
    /// What the manifest is for.
    pub manifest_description: Option<String>,
    /// What the update changes.
    pub update_description: Option<String>,
    /// Who makes the component.
    pub vendor_name: Option<String>,
    /// What the component is called.
    pub model_name: Option<String>,
    /// The domain of the vendor, from which the vendor UUID is made.
    pub vendor_domain: Option<String>,
    /// More on the model, from which the class UUID is made.
    pub model_info: Option<String>,
    /// What the component is.
    pub component_description: Option<String>,
    /// The version, as humans write it.
    pub component_version: Option<String>,
}

/// Why a text cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextError {
    /// Not a language tag such as `en` or `de-CH`.
    Language,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Language => f.write_str("not a language tag"),
        }
    }
}

impl core::error::Error for TextError {}

impl Text {
    /// An empty text in a language.
    ///
    /// # Errors
    ///
    /// [`TextError::Language`] if `language` is not of the form of a language
    /// tag (RFC 5646).
    pub fn new(language: &str) -> Result<Self, TextError> {
        if !is_language(language) {
            return Err(TextError::Language);
        }
        Ok(Self::empty(language))
    }

    /// An English text that says what the manifest is for.
    pub fn describing(manifest: &str) -> Self {
        Self {
            manifest_description: Some(manifest.to_owned()),
            ..Self::empty("en")
        }
    }

    /// The language tag.
    pub fn language(&self) -> &str {
        &self.language
    }

    fn empty(language: &str) -> Self {
        Self {
            language: language.to_owned(),
            manifest_description: None,
            update_description: None,
            vendor_name: None,
            model_name: None,
            vendor_domain: None,
            model_info: None,
            component_description: None,
            component_version: None,
        }
    }

    const fn general(&self) -> [(u64, &Option<String>); 2] {
        [
            (1, &self.manifest_description),
            (2, &self.update_description),
        ]
    }

    const fn of_component(&self) -> [(u64, &Option<String>); 6] {
        [
            (1, &self.vendor_name),
            (2, &self.model_name),
            (3, &self.vendor_domain),
            (4, &self.model_info),
            (5, &self.component_description),
            (6, &self.component_version),
        ]
    }

    /// Encodes the text of an envelope for `component`.
    pub(crate) fn encode(&self, component: &str) -> Vec<u8> {
        let general = self.general();
        let of_component = self.of_component();
        let specific = count(&of_component) > 0;
        let mut map = Writer::new();
        map.head(Major::Map, 1);
        map.text(&self.language);
        map.head(
            Major::Map,
            count(&general).saturating_add(u64::from(specific)),
        );
        write(&mut map, &general);
        if specific {
            map.head(Major::Array, 1);
            map.bytes(component.as_bytes());
            map.head(Major::Map, count(&of_component));
            write(&mut map, &of_component);
        }
        map.finish()
    }

    /// Reads the text of an envelope for `component`.
    pub(crate) fn read(reader: &mut Reader<'_>, component: &str) -> Result<Self, Error> {
        let mut languages = reader.map()?;
        if !languages.other() {
            return Err(Error::MissingKey);
        }
        let mut text = Self::empty(owned(reader)?.as_str());
        let mut keys = reader.map()?;
        for (key, field) in [
            (1, &mut text.manifest_description),
            (2, &mut text.update_description),
        ] {
            if keys.optional(reader, key)? {
                *field = Some(owned(reader)?);
            }
        }
        if reader
            .peek()
            .is_ok_and(|next| next >> 5 == Major::Array as u8)
            && keys.other()
        {
            reader.array(1)?;
            if reader.bytes(usize::MAX, Error::Component)? != component.as_bytes() {
                return Err(Error::Component);
            }
            let mut keys = reader.map()?;
            for (key, field) in [
                (1, &mut text.vendor_name),
                (2, &mut text.model_name),
                (3, &mut text.vendor_domain),
                (4, &mut text.model_info),
                (5, &mut text.component_description),
                (6, &mut text.component_version),
            ] {
                if keys.optional(reader, key)? {
                    *field = Some(owned(reader)?);
                }
            }
            keys.end(reader)?;
        }
        keys.end(reader)?;
        languages.end(reader)?;
        reader.clone().finish()?;
        Ok(text)
    }
}

fn owned(reader: &mut Reader<'_>) -> Result<String, Error> {
    Ok(reader.text(usize::MAX, Error::OutOfRange)?.to_owned())
}

fn count(fields: &[(u64, &Option<String>)]) -> u64 {
    fields.iter().filter(|(_, field)| field.is_some()).count() as u64
}

fn write(map: &mut Writer, fields: &[(u64, &Option<String>)]) {
    for (key, field) in fields {
        if let Some(field) = field {
            map.unsigned(*key);
            map.text(field);
        }
    }
}

/// `[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*`, as the draft has it.
fn is_language(tag: &str) -> bool {
    tag.split('-').enumerate().all(|(place, part)| {
        (1..=8).contains(&part.len())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || (place > 0 && byte.is_ascii_digit()))
    })
}
