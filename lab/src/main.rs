//! The command `v6lab`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
