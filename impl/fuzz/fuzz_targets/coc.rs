#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| v6router_fuzz::lowpan::coc(data));
