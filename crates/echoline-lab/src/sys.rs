//! The few system calls that no kept crate wraps safely. All `unsafe` of this crate stands here.
