//! The `echoline` program: everything it does is in the library beside it.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    echoline_cli::run(std::env::args_os()).into()
}
