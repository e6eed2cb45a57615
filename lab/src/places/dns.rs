//! As much of DNS (RFC 1035) as a portal needs: questions of one name, and the same answer to all.

use std::net::Ipv4Addr;

/// Bytes of a message before its question.
const HEADER: usize = 12;

/// Flags of a question that wants to be looked up, and of an answer to it (section 4.1.1).
const ASKED: [u8; 2] = [0x01, 0x00];
const ANSWERED: [u8; 2] = [0x81, 0x80];

/// A question's type and class: an IPv4 address, of the internet (sections 3.2.2 and 3.2.4).
const A_IN: [u8; 4] = [0, 1, 0, 1];

/// Where the name of an answer is: in the question (section 4.1.4).
const SAME_NAME: [u8; 2] = [0xc0, 0x0c];

/// Asks for the IPv4 address of `name`.
pub(super) fn question(id: u16, name: &str) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend(ASKED);
    message.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        // A label has at most 63 bytes.
        message.push(u8::try_from(label.len()).unwrap_or(0));
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend(A_IN);
    message
}

/// Says of any name that it has this address, and of whatever else is asked that there is none; nothing, if the message
/// is no question.
pub(super) fn answer(question: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    let (id, flags) = (question.get(..2)?, question.get(2)?);
    let end = end_of_question(question)?;
    if flags & 0x80 != 0 || question.get(4..6)? != [0, 1] {
        return None;
    }
    let wanted = question.get(end.checked_sub(A_IN.len())?..end)? == A_IN;
    let mut message = id.to_vec();
    message.extend(ANSWERED);
    message.extend([0, 1, 0, u8::from(wanted), 0, 0, 0, 0]);
    message.extend(question.get(HEADER..end)?);
    if wanted {
        message.extend(SAME_NAME);
        message.extend(A_IN);
        // Not to be kept: after the login the name is somebody else's.
        message.extend([0, 0, 0, 0, 0, 4]);
        message.extend(address.octets());
    }
    Some(message)
}

/// The address in an answer of [`answer`]'s form.
pub(super) fn address(answer: &[u8], id: u16) -> Option<Ipv4Addr> {
    let end = end_of_question(answer)?;
    if answer.get(..2)? != id.to_be_bytes() || answer.get(6..8)? != [0, 1] {
        return None;
    }
    let octets: [u8; 4] = answer.get(end + 12..end + 16)?.try_into().ok()?;
    Some(octets.into())
}

fn end_of_question(message: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        let len = usize::from(*message.get(at)?);
        if len > 63 {
            return None;
        }
        at += 1 + len;
        if len == 0 {
            return Some(at + A_IN.len()).filter(|end| *end <= message.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

    #[test]
    fn every_name_has_the_one_address() {
        for name in ["www.example", "example", "a.b.c.example"] {
            let said = answer(&question(7, name), ROUTER).unwrap();
            assert_eq!(address(&said, 7), Some(ROUTER), "{name}");
            assert_eq!(address(&said, 8), None, "an answer to another question");
        }
    }

    #[test]
    fn no_name_has_an_ipv6_address() {
        let mut asked = question(7, "www.example");
        let kind = asked.len() - 3;
        asked[kind] = 28;
        let said = answer(&asked, ROUTER).unwrap();
        assert_eq!(said.get(..8), Some(&[0, 7, 0x81, 0x80, 0, 1, 0, 0][..]));
        assert_eq!(address(&said, 7), None);
    }

    #[test]
    fn what_is_no_question_is_not_answered() {
        let asked = question(7, "www.example");
        for len in 0..asked.len() {
            assert_eq!(answer(&asked[..len], ROUTER), None, "{len} bytes");
        }
        let said = answer(&asked, ROUTER).unwrap();
        assert_eq!(answer(&said, ROUTER), None, "an answer");
    }
}
