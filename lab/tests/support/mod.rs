//! Runs tests inside a session, in the manner of libtest.
//!
//! The standard harness starts threads before a test gets its turn, and a session must be entered before there are any.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::process::exit;

use futures::FutureExt;

/// A test's name and what it does.
pub(crate) type Test = (&'static str, fn() -> Pin<Box<dyn Future<Output = ()>>>);

/// Runs those tests the command line selects, as libtest would: words are parts of names, `--exact` makes them whole,
/// `--list` only names them; other options have no meaning here.
pub(crate) fn run(tests: &[Test]) -> ! {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let chosen = |name: &str| {
        let matches = |word: &&String| {
            if has("--exact") {
                name == word.as_str()
            } else {
                name.contains(word.as_str())
            }
        };
        words.is_empty() || words.iter().any(matches)
    };
    let tests = tests
        .iter()
        .filter(|(name, _)| chosen(name) && !has("--ignored"));
    if has("--list") {
        tests.for_each(|(name, _)| println!("{name}: test"));
        exit(0);
    }
    if let Err(error) = v6lab::session::enter() {
        eprintln!("error: {error}");
        exit(v6lab::session::CANNOT_RUN);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut failed = 0;
    for (name, test) in tests {
        let passed = runtime
            .block_on(AssertUnwindSafe(test()).catch_unwind())
            .is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += i32::from(!passed);
    }
    println!(
        "test result: {}; {failed} failed",
        if failed == 0 { "ok" } else { "FAILED" }
    );
    exit(i32::from(failed > 0));
}
