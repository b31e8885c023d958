//! What is in the programs that are shipped: the record of it, and bills of
//! materials. Both are made from what cargo says that it would build, with the
//! command that builds it.

mod artifact;
mod direct;
mod package;
mod parts;
mod record;
mod sbom;
mod units;

pub(crate) use artifact::Artifact;
pub(crate) use record::write;
pub(crate) use sbom::sbom;
