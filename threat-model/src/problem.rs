//! What can be wrong with the threat model.

use std::path::PathBuf;

/// Something in the threat model that is not, or no longer, true.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A table cannot be read.
    #[error("the table cannot be read: {0}")]
    Table(String),
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// Two threats have one name.
    #[error("{0} is there twice")]
    Repeated(String),
    /// A name is not of the form `ABC-12`.
    #[error("{0} is not a name such as NET-4")]
    Name(String),
    /// A threat is about an asset that the table does not have.
    #[error("{threat}: there is no asset {asset}")]
    UnknownAsset {
        /// Which threat.
        threat: String,
        /// The asset.
        asset: String,
    },
    /// A threat is at a boundary that the table does not have.
    #[error("{threat}: there is no boundary {boundary}")]
    UnknownBoundary {
        /// Which threat.
        threat: String,
        /// The boundary.
        boundary: String,
    },
    /// A field that this status needs is empty.
    #[error("{threat}: {status} needs `{field}`")]
    Empty {
        /// Which threat.
        threat: String,
        /// Its status.
        status: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A threat that is not controlled says what is done against it, or one
    /// that is says why nothing is.
    #[error("{threat}: {status} has no use for `{field}`")]
    Useless {
        /// Which threat.
        threat: String,
        /// Its status.
        status: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A test is not there.
    #[error("{threat}: there is no test {test}")]
    NoSuchTest {
        /// Which threat.
        threat: String,
        /// The test.
        test: String,
    },
    /// A test is there and is not run.
    #[error("{threat}: the test {test} is ignored")]
    IgnoredTest {
        /// Which threat.
        threat: String,
        /// The test.
        test: String,
    },
    /// A path leads nowhere.
    #[error("{threat}: there is nothing at {path}")]
    NoSuchPath {
        /// Which threat.
        threat: String,
        /// The path.
        path: String,
    },
    /// A threat or requirement that RFC 9124 does not have.
    #[error("{threat}: RFC 9124 has no {id}")]
    NotInRfc9124 {
        /// Which threat.
        threat: String,
        /// What was looked for.
        id: String,
    },
    /// A threat or requirement of RFC 9124 that no threat here is about.
    #[error("nothing is said of {0} of RFC 9124")]
    Rfc9124Missing(&'static str),
    /// A boundary has no page.
    #[error("the page {page} of the boundary {boundary} is not there")]
    NoSuchPage {
        /// Which boundary.
        boundary: String,
        /// Its page.
        page: String,
    },
    /// A page refers to a threat that there is not.
    #[error("{page}: there is no threat {id}")]
    UnknownOnPage {
        /// Which page.
        page: String,
        /// The threat.
        id: String,
    },
    /// A page does not speak of a threat at its boundary.
    #[error("{page} does not speak of {id}")]
    NotOnPage {
        /// Which page.
        page: String,
        /// The threat.
        id: String,
    },
    /// A page links a file that is not there.
    #[error("{page}: there is nothing at {link}")]
    BrokenLink {
        /// Which page.
        page: String,
        /// The link.
        link: String,
    },
    /// A page names a test that is not there, or not run.
    #[error("{page}: there is no test {test} that is run")]
    NoSuchTestOnPage {
        /// Which page.
        page: String,
        /// The test.
        test: String,
    },
    /// A test is tagged with a threat that there is not.
    #[error("{test} is tagged with {id}, and there is no such threat")]
    UnknownTag {
        /// Which test.
        test: String,
        /// The threat.
        id: String,
    },
    /// A test is tagged with a threat that does not name it.
    #[error("{test} is tagged with {id}, which does not name it in threats.toml")]
    TagNotMirrored {
        /// Which test.
        test: String,
        /// The threat.
        id: String,
    },
    /// A function is tagged that is no test.
    #[error("{function} is tagged with {id} and is no test")]
    TagOnNoTest {
        /// Which function.
        function: String,
        /// The threat.
        id: String,
    },
    /// A file has another number of `unsafe` than the list says.
    #[error(
        "{path}: {found} times `unsafe`, {listed} in unsafe.toml; look at what changed, then set:\n\n\
         [[file]]\npath = \"{path}\"\ncount = {found}\nreason = \"...\"\nmiri = \"...\"\n"
    )]
    UnsafeCount {
        /// Which file.
        path: String,
        /// What the list says; 0 where it does not have the file.
        listed: usize,
        /// What there is.
        found: usize,
    },
    /// The list has a file twice.
    #[error("{0} is twice in unsafe.toml")]
    UnsafeRepeated(String),
    /// The list has no reason for a file.
    #[error("{0}: unsafe.toml has no reason")]
    UnsafeWithoutReason(String),
    /// The list does not say whether Miri runs the code of a file.
    #[error(
        "{0}: unsafe.toml does not say whether Miri runs it: `miri = \"run\"` if `cargo xtask \
         miri` does, or why not"
    )]
    UnsafeWithoutMiri(String),
}
