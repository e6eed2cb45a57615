//! What packets cost one by one and side by side: 1,424 bytes each, which is a full frame with
//! sequence number and padding.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use lanes::{CbcEncryptor, HmacSha256, LANES};

const PACKET: usize = 1424;

fn lanes(criterion: &mut Criterion) {
    let encryptor = CbcEncryptor::new(&[7; 32], [1; 16]);
    let hmac = HmacSha256::new(&[7; 48]);
    for count in [1, 2, 4, LANES] {
        let mut group = criterion.benchmark_group(format!("{count} abreast"));
        group.throughput(Throughput::Elements(count as u64));
        let mut packets = vec![vec![3; PACKET]; count];
        group.bench_function("aes-256-cbc", |bencher| {
            bencher.iter(|| {
                let mut lanes: Vec<&mut [u8]> = packets.iter_mut().map(Vec::as_mut_slice).collect();
                if let Some(encryptor) = &encryptor {
                    encryptor.encrypt(black_box(&mut lanes));
                }
            });
        });
        let bodies: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
        let mut macs = vec![[0; 32]; count];
        group.bench_function("hmac-sha256", |bencher| {
            bencher.iter(|| hmac.compute(black_box(&bodies), &mut macs));
        });
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    lanes(&mut criterion);
    criterion.final_summary();
}
