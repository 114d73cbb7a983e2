//! The command `xfetch`: explores the core under every engine and says what it found.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
