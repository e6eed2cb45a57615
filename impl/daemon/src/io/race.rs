//! The first of several attempts that succeeds, each started a little after the one before.
//!
//! This is the connection racing of RFC 8305 ("Happy Eyeballs"), with an order of our own: the
//! operator's lines first to last. An address that does not answer costs a quarter of a second,
//! not a TCP time-out, and a name that cannot be looked up keeps nothing else waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

/// From one attempt to the next (RFC 8305 section 5, "Connection Attempt Delay").
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// How long the first attempt waits for the look-up of a better candidate (RFC 8305 section 3,
/// "Resolution Delay").
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// The same as [`ATTEMPT_DELAY`] before a doubtful candidate; ours. It must not win by being
/// near, as a captive portal is.
const DOUBTFUL_DELAY: Duration = Duration::from_secs(2);

/// Attempts the candidates that `lookups` yield, in the order of the look-ups and of their
/// results, and returns the first success; the other attempts are dropped.
///
/// Candidates for which `doubt` says something come after the others, least doubt first.
pub(crate) async fn first<T, R, L, A>(
    lookups: Vec<L>,
    doubt: impl Fn(&T) -> Option<usize>,
    attempt: impl Fn(T) -> A,
) -> Option<R>
where
    L: Future<Output = Vec<T>>,
    A: Future<Output = Option<R>>,
{
    let began = Instant::now();
    let mut unresolved: BTreeSet<usize> = (0..lookups.len()).collect();
    let mut lookups: FuturesUnordered<_> = lookups
        .into_iter()
        .enumerate()
        .map(|(line, lookup)| async move { (line, lookup.await) })
        .collect();
    let mut waiting = BTreeMap::new();
    let mut attempts = FuturesUnordered::new();
    let mut last_start = None;
    loop {
        let idle = attempts.is_empty();
        let due = waiting.first_key_value().map(|((doubt, line, _), _)| {
            let is_best = unresolved.range(..*line).next().is_none();
            match (last_start, doubt) {
                (None, None) if is_best => began,
                (None, None) => began + RESOLUTION_DELAY,
                (None, Some(_)) if unresolved.is_empty() => began,
                (None, Some(_)) => began + DOUBTFUL_DELAY,
                (Some(start), None) if idle => start,
                (Some(start), None) => start + ATTEMPT_DELAY,
                (Some(start), Some(_)) if idle && unresolved.is_empty() => start,
                (Some(start), Some(_)) => start + DOUBTFUL_DELAY,
            }
        });
        tokio::select! {
            biased;
            Some(outcome) = attempts.next() => {
                if let Some(winner) = outcome {
                    return Some(winner);
                }
                // Whoever waits behind a failure has waited enough.
                last_start = last_start.and_then(|start: Instant| start.checked_sub(ATTEMPT_DELAY));
            }
            Some((line, found)) = lookups.next() => {
                unresolved.remove(&line);
                for (nth, candidate) in found.into_iter().enumerate() {
                    waiting.insert((doubt(&candidate), line, nth), candidate);
                }
            }
            () = tokio::time::sleep_until(due.unwrap_or(began)), if due.is_some() => {
                if let Some((_, candidate)) = waiting.pop_first() {
                    attempts.push(attempt(candidate));
                    last_start = Some(Instant::now());
                }
            }
            else => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::{pending, ready};

    use futures::future::{BoxFuture, FutureExt as _};

    use super::*;

    /// How a candidate of these tests behaves.
    #[derive(Clone, Copy, PartialEq)]
    enum Is {
        Dead,
        Refusing,
        Open(u64),
    }

    use Is::{Dead, Open, Refusing};

    fn now<T: Send + 'static>(found: Vec<T>) -> BoxFuture<'static, Vec<T>> {
        ready(found).boxed()
    }

    fn after<T: Send + 'static>(millis: u64, found: Vec<T>) -> BoxFuture<'static, Vec<T>> {
        tokio::time::sleep(Duration::from_millis(millis))
            .map(|()| found)
            .boxed()
    }

    /// Races with virtual time; returns the winner, the order of starts and how long it took.
    async fn run(
        lookups: Vec<BoxFuture<'static, Vec<(char, Is)>>>,
        doubtful: &str,
    ) -> (Option<char>, String, u128) {
        let began = Instant::now();
        let started = RefCell::new(String::new());
        let winner = first(
            lookups,
            |(name, _)| doubtful.find(*name),
            |(name, is)| {
                started.borrow_mut().push(name);
                async move {
                    match is {
                        Dead => {
                            tokio::time::sleep(Duration::from_secs(5)).await;
                            None
                        }
                        Refusing => None,
                        Open(millis) => {
                            tokio::time::sleep(Duration::from_millis(millis)).await;
                            Some(name)
                        }
                    }
                }
            },
        )
        .await;
        (winner, started.into_inner(), began.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_address_costs_a_quarter_of_a_second() {
        let lookups = vec![now(vec![('a', Dead), ('b', Dead), ('c', Open(20))])];
        let (winner, started, millis) = run(lookups, "").await;
        assert_eq!((winner, started.as_str()), (Some('c'), "abc"));
        assert!((520..600).contains(&millis), "{millis}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_costs_nothing_and_the_first_line_is_preferred() {
        let lookups = vec![
            now(vec![('a', Refusing)]),
            now(vec![('b', Open(100)), ('c', Open(0))]),
        ];
        let (winner, started, millis) = run(lookups, "").await;
        assert_eq!((winner, started.as_str()), (Some('b'), "ab"));
        assert!(millis < 150, "{millis}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_that_answers_first_wins_though_others_were_started() {
        let lookups = vec![now(vec![('a', Open(400)), ('b', Open(300))])];
        assert_eq!(run(lookups, "").await.0, Some('a'));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_resolver_keeps_nobody_waiting() {
        let lookups = vec![pending().boxed(), now(vec![('b', Open(10))])];
        let (winner, _, millis) = run(lookups, "").await;
        assert_eq!(winner, Some('b'));
        assert!(millis < 100, "{millis}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quick_resolver_keeps_the_order_of_the_lines() {
        let lookups = vec![after(30, vec![('a', Open(10))]), now(vec![('b', Open(10))])];
        let (winner, started, _) = run(lookups, "").await;
        assert_eq!((winner, started.as_str()), (Some('a'), "a"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_doubtful_does_not_win_by_being_near() {
        let lookups = vec![now(vec![('p', Open(1)), ('q', Open(1)), ('a', Open(1500))])];
        let (winner, started, _) = run(lookups, "qp").await;
        assert_eq!((winner, started.as_str()), (Some('a'), "a"));
        let lookups = vec![now(vec![('p', Open(1)), ('q', Open(1)), ('a', Refusing)])];
        let (winner, started, millis) = run(lookups, "qp").await;
        assert_eq!((winner, started.as_str()), (Some('q'), "aq"));
        assert!(millis < 100, "{millis}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_success_there_is_an_end() {
        let lookups = vec![now(vec![('a', Dead), ('b', Refusing)]), after(700, vec![])];
        let (winner, _, millis) = run(lookups, "").await;
        assert_eq!(winner, None);
        assert!((5000..5300).contains(&millis), "{millis}");
        assert_eq!(run(vec![], "").await.0, None);
    }
}
