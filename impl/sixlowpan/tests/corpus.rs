//! What fuzzers were given and what they found, once more.
#![allow(
    clippy::disallowed_methods,
    reason = "a test takes the time from the clock"
)]

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/checksum.rs"]
mod checksum;
#[allow(unreachable_pub, reason = "a library to the fuzz targets")]
#[path = "../../fuzz/src/lowpan.rs"]
mod lowpan;

#[test]
fn no_target_falls_over_its_corpus() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (target, run) in lowpan::TARGETS {
        let corpus = fs::read_dir(corpora.join(target)).unwrap();
        let mut played = 0;
        for entry in corpus {
            run(&fs::read(entry.unwrap().path()).unwrap());
            played += 1;
        }
        assert!(played >= 5, "{target}: {played} inputs");
    }
}
