//! Prints the proofs: `prove [--whole N] [--without-solvers]`, or the table as text: `prove --smt`, `prove --tla`.

use std::process::ExitCode;
use xfetch_spec::prove::{self, Options};
use xfetch_spec::table::System;
use xfetch_spec::{smt, tla};

fn main() -> ExitCode {
    let system = match System::shipped() {
        Ok(system) => system,
        Err(error) => {
            eprintln!("the table: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut options = Options::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--without-solvers" => options.without_solvers = true,
            "--whole" => match words.next().and_then(|it| it.parse().ok()) {
                Some(number) => options.whole = number,
                None => {
                    eprintln!("--whole needs a number");
                    return ExitCode::FAILURE;
                }
            },
            "--smt" => {
                print!("{}", smt::script(&system).0);
                return ExitCode::SUCCESS;
            }
            "--tla" => {
                print!("{}", tla::module(&system));
                return ExitCode::SUCCESS;
            }
            other => {
                eprintln!("there is no option {other}");
                return ExitCode::FAILURE;
            }
        }
    }
    let report = prove::run(&system, options);
    print!("{report}");
    if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
