//! The pages of the threat model, and what they refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::Problem;

/// All pages, by their file names.
#[derive(Clone, Debug, Default)]
pub struct Pages(BTreeMap<String, String>);

impl Pages {
    /// Reads all Markdown files in `folder`.
    ///
    /// # Errors
    ///
    /// [`Problem::File`] where one cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Problem> {
        let failed = |error: std::io::Error| Problem::File {
            path: folder.to_owned(),
            error: error.to_string(),
        };
        let mut pages = Self::default();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".md") {
                pages.insert(&name, &fs::read_to_string(&path).map_err(failed)?);
            }
        }
        Ok(pages)
    }

    /// Adds a page, or puts it in the place of another one.
    pub fn insert(&mut self, name: &str, text: &str) {
        self.0.insert(name.to_owned(), text.to_owned());
    }

    /// Takes a page away.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The text of a page.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All pages, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

/// The threats that a text refers to: `[NET-4]`, or several with commas.
pub(crate) fn references(text: &str) -> BTreeSet<String> {
    brackets(text)
        .flat_map(|(inside, _)| inside.split(','))
        .map(str::trim)
        .filter(|id| is_id(id))
        .map(str::to_owned)
        .collect()
}

/// The files that a text links to.
pub(crate) fn links(text: &str) -> impl Iterator<Item = &str> {
    brackets(text)
        .filter_map(|(_, after)| after.strip_prefix('(')?.split(')').next())
        .filter(|link| !link.contains("://"))
        .map(|link| link.split('#').next().unwrap_or_default())
        .filter(|link| !link.is_empty())
}

/// The tests that a text names: `path.rs::function`, as code.
pub(crate) fn tests(text: &str) -> impl Iterator<Item = &str> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.contains(".rs::"))
}

/// What is in brackets, and all that follows.
fn brackets(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices('[')
        .filter_map(|(start, _)| text.get(start + 1..)?.split_once(']'))
}

/// Whether this is of the form of a threat's name: `ABC-12`.
pub(crate) fn is_id(text: &str) -> bool {
    let Some((area, number)) = text.split_once('-') else {
        return false;
    };
    (2..=5).contains(&area.len())
        && area.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=3).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with('0')
}
