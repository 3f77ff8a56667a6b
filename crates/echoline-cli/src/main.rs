//! The `echoline` program.
fn main() {}
