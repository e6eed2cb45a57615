//! Meta connections recorded between tincd 1.0.36 and an independent client are understood, and
//! ours are the same bytes. How the vectors were taken is told beside them.

mod cuts;
mod recording;

use data_encoding::HEXLOWER;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use recording::{CLIENT, DAEMON, End, Recording, Replay, recordings};
use v6router_core::crypto::algorithm::{PacketCipher, StreamCipher};
use v6router_core::crypto::rsa::PrivateKey;
use v6router_core::crypto::stream::MetaCipher;
use v6router_core::wire::request::Request;

#[test]
fn every_line_is_understood_and_printed_as_it_came() {
    for recording in recordings() {
        for entry in &recording.meta_log {
            let request = Request::parse(entry.line.as_bytes())
                .unwrap_or_else(|error| panic!("{}: {error}", entry.line));
            assert_eq!(request.to_string(), entry.line);
        }
    }
}

#[test]
fn session_keys_come_out_of_the_recorded_meta_keys() {
    let mut rng = StdRng::seed_from_u64(1);
    for recording in recordings() {
        for (key, receiver) in [
            (&recording.metakey_received, &CLIENT),
            (&recording.metakey_sent, &DAEMON),
        ] {
            let Ok(Request::MetaKey(request)) = Request::parse(key.line.as_bytes()) else {
                panic!("{}", key.line);
            };
            let secret = PrivateKey::from_pem(receiver.pem(&recording)).unwrap();
            let block = secret.decrypt_block(&request.key, &mut rng).unwrap();
            assert_eq!(HEXLOWER.encode(&block), key.plaintext_hex);
            let end = format!("{}{}", key.iv_hex, key.key_hex);
            assert!(HEXLOWER.encode(&block).ends_with(&end));
            assert_eq!(secret.public().encrypt_block(&block).unwrap(), request.key);
        }
    }
}

/// One recording seen from one end, cut at arbitrary places.
fn replay(recording: &Recording, end: End, cuts: &[usize]) -> Replay {
    let mut replay = Replay::new(recording, end);
    replay.receive_in_pieces(cuts);
    replay
}

/// The cipher our end announces is the one that goes with its packet cipher; one recording has a
/// client that announced another.
fn announces_what_we_would(recording: &Recording, end: &End) -> bool {
    let announced = StreamCipher::from_number(end.meta_key(recording).cipher_nid);
    PacketCipher::all().any(|cipher| Some(StreamCipher::matching(cipher)) == announced)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn both_streams_decrypt_whatever_the_cuts(cuts in prop::collection::vec(1_usize..200, 1..40)) {
        for recording in recordings() {
            for (key, stream) in [
                (&recording.metakey_received, &recording.stream_from_daemon),
                (&recording.metakey_sent, &recording.stream_to_daemon),
            ] {
                let cipher = StreamCipher::from_number(key.cipher_nid).unwrap();
                let block = HEXLOWER.decode(key.plaintext_hex.as_bytes()).unwrap();
                let mut bytes = HEXLOWER.decode(stream.ciphertext_hex.as_bytes()).unwrap();
                let mut decryptor = MetaCipher::decryptor(cipher, &block).unwrap();
                for piece in cuts::pieces(bytes.len(), &cuts) {
                    decryptor.apply(&mut bytes[piece]).expect("within its budget");
                }
                prop_assert_eq!(HEXLOWER.encode(&bytes), stream.plaintext_hex.clone());
                let mut encryptor = MetaCipher::encryptor(cipher, &block).unwrap();
                for piece in cuts::pieces(bytes.len(), &cuts) {
                    encryptor.apply(&mut bytes[piece]).expect("within its budget");
                }
                prop_assert_eq!(HEXLOWER.encode(&bytes), stream.ciphertext_hex.clone());
            }
        }
    }

    /// Our connection takes the place of either end: what the other end sent leads to the
    /// recorded requests and frames, and with the recorded random numbers we send the same bytes
    /// that were accepted, or sent, by tincd.
    #[test]
    fn either_end_can_be_played_by_our_connection(
        cuts in prop::collection::vec(1_usize..700, 1..20),
    ) {
        for recording in recordings() {
            for end in [CLIENT, DAEMON] {
                let played = replay(&recording, end, &cuts);
                prop_assert_eq!(&played.lines, &end.lines_of_the_other(&recording));
                prop_assert_eq!(&played.frames, &vec![end.frame_from_the_other(&recording)]);
                if announces_what_we_would(&recording, &end) {
                    prop_assert_eq!(
                        HEXLOWER.encode(&played.sent),
                        HEXLOWER.encode(&end.bytes_sent(&recording))
                    );
                }
            }
        }
    }
}
