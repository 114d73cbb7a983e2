//! The command `xfetch`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
