//! Subnets are read and printed as tincd 1.0.36 does. How the vectors were taken is told beside
//! them.

use serde::Deserialize;
use v6router_core::subnet::{Subnet, SubnetError};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    input: String,
    accepted: bool,
    canonical: Option<String>,
}

#[test]
fn subnets_are_judged_as_by_the_reference_except_where_it_loses_bits() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors/subnet-parsing.json"))
        .expect("the vector file is well-formed");
    for case in vectors.cases {
        // A request's word ends before a blank.
        match case.input.trim_end().parse::<Subnet>() {
            Ok(subnet) => {
                assert!(case.accepted, "{}", case.input);
                assert_eq!(Some(subnet.to_string()), case.canonical, "{}", case.input);
            }
            Err(SubnetError::NumberTooLarge) => {
                assert!(case.accepted, "{} is no quirk of the reference", case.input);
            }
            Err(error) => assert!(!case.accepted, "{}: {error}", case.input),
        }
    }
}
