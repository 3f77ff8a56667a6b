//! The Echoline server as a library.
