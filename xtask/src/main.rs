//! `cargo xtask`: what a contributor or CI runs.
fn main() {}
