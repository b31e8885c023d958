//! Translation keeps the meaning: what runs on a device does what the same
//! module does as machine code.

mod smith;
mod traps;
