//! Watching a path while packets flow, so that nobody pings into a black hole for a minute.
//!
//! Ours; the reference looks each `PingInterval`. A path that is used carries, each second, one
//! probe as long as the longest packet of that second; a path that is idle carries none. Any peer
//! answers probes, so that this works with a tincd too.

use std::time::Duration;

use super::pmtu::MIN_LEN;

/// From an answer to the next probe.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// From an unanswered probe to the next.
const RETRY_INTERVAL: Duration = Duration::from_millis(400);
/// Probes in a row that all must go unanswered before the path counts as broken: 2 s.
const CHANCES: u8 = 5;

/// The state of the watch over one path.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    /// Length of the probe that is not answered yet, in bytes of frame; 0 for none.
    asked: u16,
    /// How often it was sent.
    sent: u8,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing flows: stop until something does.
    Rest,
    /// Send a probe of this many bytes of frame, and look again after this time.
    Probe(u16, Duration),
    /// The path carries packets no longer, at least none of this many bytes of frame.
    Broken(u16),
}

impl Watch {
    /// Looks at the path. `longest` is the longest frame since the last look, 0 for none;
    /// `proven` what the path is known to carry.
    pub fn look(&mut self, longest: u16, proven: u16) -> Step {
        if self.asked == 0 {
            if longest == 0 {
                return Step::Rest;
            }
            self.asked = longest.min(proven).max(MIN_LEN);
        }
        if self.sent >= CHANCES {
            let len = self.asked;
            *self = Self::default();
            return Step::Broken(len);
        }
        self.sent += 1;
        Step::Probe(self.asked, RETRY_INTERVAL)
    }

    /// Notes the reply to a probe of `len` bytes of frame; says when to look again if it is the
    /// one that was waited for.
    pub fn on_reply(&mut self, len: u16) -> Option<Duration> {
        if self.asked == 0 || len < self.asked {
            return None;
        }
        *self = Self::default();
        Some(LOOK_INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_path_costs_nothing() {
        assert_eq!(Watch::default().look(0, 1451), Step::Rest);
    }

    #[test]
    fn a_path_that_answers_costs_one_probe_a_look() {
        let mut watch = Watch::default();
        for longest in [118, 1451, 700] {
            assert_eq!(
                watch.look(longest, 1451),
                Step::Probe(longest, RETRY_INTERVAL)
            );
            assert_eq!(watch.on_reply(longest), Some(LOOK_INTERVAL));
        }
        assert_eq!(watch.look(0, 1451), Step::Rest);
    }

    #[test]
    fn silence_is_believed_after_two_seconds() {
        let mut watch = Watch::default();
        let mut waited = Duration::ZERO;
        while let Step::Probe(1451, next) = watch.look(1500, 1451) {
            waited += next;
        }
        assert_eq!(waited, Duration::from_secs(2));
        assert_eq!(watch.look(0, 1451), Step::Rest, "and begins anew");
    }

    #[test]
    fn a_shorter_probe_of_somebody_else_proves_nothing() {
        let mut watch = Watch::default();
        watch.look(1400, 1451);
        assert_eq!(watch.on_reply(1211), None);
        assert_eq!(watch.look(0, 1451), Step::Probe(1400, RETRY_INTERVAL));
        assert_eq!(watch.on_reply(1451), Some(LOOK_INTERVAL));
    }

    #[test]
    fn a_probe_is_never_longer_than_what_was_proven_nor_too_short() {
        assert_eq!(
            Watch::default().look(1500, 1243),
            Step::Probe(1243, RETRY_INTERVAL)
        );
        assert_eq!(
            Watch::default().look(60, 1243),
            Step::Probe(MIN_LEN, RETRY_INTERVAL)
        );
    }
}
