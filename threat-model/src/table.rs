//! `threats.toml`, as it is written.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::Problem;

/// The whole of `threats.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What is worth something to somebody, and a sentence on each.
    pub assets: BTreeMap<String, String>,
    /// Trust boundaries, and the page of each.
    pub boundaries: BTreeMap<String, String>,
    /// The threats.
    #[serde(rename = "threat")]
    pub threats: Vec<Threat>,
}

/// One threat.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threat {
    /// Names it for ever: numbers are not given out again.
    pub id: String,
    /// What it is, in a few words.
    pub title: String,
    /// Which kind of threat it is.
    pub stride: Stride,
    /// What it is after: a key of [`Table::assets`].
    pub asset: String,
    /// Where it comes in: a key of [`Table::boundaries`].
    pub boundary: String,
    /// Threats and requirements of RFC 9124 that it is about.
    #[serde(default)]
    pub rfc9124: Vec<String>,
    /// What is done about it.
    pub status: Status,
    /// What the attacker does.
    pub attack: String,
    /// What is done against it.
    #[serde(default)]
    pub mitigation: String,
    /// Why it is not controlled.
    #[serde(default)]
    pub reason: String,
    /// Where that is done: paths from the root of the repository.
    #[serde(default)]
    pub code: Vec<String>,
    /// What fails when it is not done: `path::function`.
    #[serde(default)]
    pub tests: Vec<String>,
    /// What is left.
    pub residual: String,
}

/// The six classes of STRIDE.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Stride {
    /// Being taken for somebody else.
    Spoofing,
    /// Changing what is not one's own.
    Tampering,
    /// Denying what one has done.
    Repudiation,
    /// Learning what one should not.
    Disclosure,
    /// Keeping others from what is theirs.
    Denial,
    /// Being able to do what one may not.
    Elevation,
}

/// What is done about a threat.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The code prevents it, and tests fail where it does not.
    Controlled,
    /// It is known, and nothing is done.
    Accepted,
    /// Somebody else has to prevent it.
    Transferred,
    /// Nothing here is meant to prevent it.
    OutOfScope,
}

impl Table {
    /// Reads the text of `threats.toml`.
    ///
    /// # Errors
    ///
    /// [`Problem::Table`] with the place and what is wrong there.
    pub fn read(text: &str) -> Result<Self, Problem> {
        toml::from_str(text).map_err(|error| Problem::Table(error.to_string()))
    }

    /// The threat of this name.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Threat> {
        self.threats.iter().find(|threat| threat.id == id)
    }
}

impl Stride {
    /// As the table has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spoofing => "spoofing",
            Self::Tampering => "tampering",
            Self::Repudiation => "repudiation",
            Self::Disclosure => "disclosure",
            Self::Denial => "denial",
            Self::Elevation => "elevation",
        }
    }
}

impl Status {
    /// As the table has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Controlled => "controlled",
            Self::Accepted => "accepted",
            Self::Transferred => "transferred",
            Self::OutOfScope => "out-of-scope",
        }
    }
}

impl fmt::Display for Stride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
