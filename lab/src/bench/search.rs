//! The highest rate at which next to nothing is lost.

/// Share of packets that may be lost at a rate that counts.
pub(super) const LOSS_LIMIT: f64 = 0.005;

/// Where two neighbouring rates, one that loses and one that does not, are close enough: 5 %.
const CLOSE: f64 = 1.05;

/// By how much a rate that does not lose is raised while the next above that loses is far.
const STEP: f64 = 1.25;

/// First tried rate, as a part of what arrived of a flood.
const BELOW_FLOOD: f64 = 0.95;

/// Rates tried at most.
const RATES: usize = 12;

/// What became of a rate that was offered, in packets a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trial {
    /// What the sender managed to send.
    pub(super) sent: f64,
    /// What arrived.
    pub(super) received: f64,
    /// Share of the packets that were lost among those that arrived.
    pub(super) loss: f64,
}

impl Trial {
    /// Whether the rate counts. Who stalls in the end loses nothing among what arrived, so that is looked at as well.
    fn passes(&self) -> bool {
        self.loss < LOSS_LIMIT && self.received > self.sent * 0.97
    }
}

/// Looks for the highest rate that loses less than [`LOSS_LIMIT`], by calling `offer` with rates in packets a second
/// or, for a flood, with `None`. A rate that loses gets a second chance, since it may have been somebody else's fault.
/// `None` if everything loses.
///
/// A flood comes first: if it passes, nothing more is to be had. Otherwise what arrived of it is where to begin, and
/// rates are raised by a quarter, or halved, until one that loses and one that does not are found, and then bisected.
///
/// # Errors
/// What `offer` failed with.
pub(super) async fn highest<E>(
    mut offer: impl AsyncFnMut(Option<f64>) -> Result<Trial, E>,
) -> Result<Option<Trial>, E> {
    let flood = offer(None).await?;
    if flood.passes() {
        return Ok(Some(flood));
    }
    let mut best: Option<(f64, Trial)> = None;
    let (mut loses, mut next) = (flood.sent, flood.received * BELOW_FLOOD);
    for _ in 0..RATES {
        if next < 1.0 {
            break;
        }
        let mut trial = offer(Some(next)).await?;
        if !trial.passes() {
            trial = offer(Some(next)).await?;
        }
        if trial.passes() {
            best = Some((next, trial));
            if trial.sent < next / CLOSE {
                // The sender is at its end before the channel.
                break;
            }
        } else {
            loses = next;
        }
        next = match best {
            Some((passes, _)) if loses < passes * CLOSE => break,
            Some((passes, _)) => (passes * loses).sqrt().min(passes * STEP),
            None => next / 2.0,
        };
    }
    Ok(best.map(|(_, trial)| trial))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A channel that takes `capacity`, delivers `overloaded` of what is too much, and a sender that manages `most`.
    async fn found(capacity: f64, overloaded: f64, most: f64) -> (Option<Trial>, usize) {
        let mut trials = 0;
        let result = highest::<Infallible>(async |rate| {
            trials += 1;
            let sent = rate.unwrap_or(f64::INFINITY).min(most);
            let received = if sent <= capacity {
                sent
            } else {
                capacity * overloaded
            };
            Ok(Trial {
                sent,
                received,
                loss: 1.0 - received / sent,
            })
        });
        (result.await.unwrap(), trials)
    }

    #[tokio::test]
    async fn the_capacity_is_found_to_five_percent_whatever_an_overload_does_to_it() {
        for capacity in [900.0, 29_000.0, 160_000.0] {
            for overloaded in [1.0, 0.7, 0.3] {
                let (found, trials) = found(capacity, overloaded, 200_000.0).await;
                let received = found.unwrap().received;
                assert!(
                    received <= capacity && received > capacity / CLOSE,
                    "{received} of {capacity} at {overloaded}"
                );
                assert!(trials <= 17, "{trials} trials");
            }
        }
    }

    #[tokio::test]
    async fn a_flood_that_arrives_is_the_answer_at_once() {
        let (found, trials) = found(1e9, 1.0, 190_000.0).await;
        assert_eq!((found.unwrap().received, trials), (190_000.0, 1));
    }

    #[tokio::test]
    async fn who_loses_once_gets_a_second_chance_and_who_loses_always_has_no_rate() {
        let mut unlucky = true;
        let result = highest::<Infallible>(async |rate| {
            let sent: f64 = rate.unwrap_or(1000.0).min(1000.0);
            let lost = sent > 800.0 || unlucky;
            unlucky = rate.is_none();
            Ok(Trial {
                sent,
                received: if lost { sent * 0.8 } else { sent },
                loss: if lost { 0.2 } else { 0.0 },
            })
        });
        assert!(result.await.unwrap().unwrap().received > 760.0);

        let result = highest::<Infallible>(async |_| {
            Ok(Trial {
                sent: 1000.0,
                received: 500.0,
                loss: 0.5,
            })
        });
        assert_eq!(result.await.unwrap(), None);
    }

    #[test]
    fn a_channel_that_stalls_without_losing_does_not_pass() {
        let stalled = Trial {
            sent: 100.0,
            received: 60.0,
            loss: 0.0,
        };
        assert!(!stalled.passes());
    }
}
