//! Punching UDP holes: two hosts behind two NATs, told by a server as whom it sees the other.

use super::Result;
use super::bench::{Bench, TEN};
use crate::fabric::Lab;
use crate::model::{ModelError, Scenario, VenueKind};
use crate::plan::Plan;

/// How often both sides send. What opens at all opens in the second round.
const ROUNDS: usize = 3;

/// A network with each of these kinds twice, so that each can be tried against itself.
///
/// # Errors
/// When there are more than fit in.
pub fn homes(kinds: &[VenueKind]) -> Result<Plan, ModelError> {
    let mut plan = Plan::new(&Scenario::homes(&[kinds, kinds].concat())?);
    // Not what is to be found out here.
    plan.passages.clear();
    Ok(plan)
}

/// Tries every pair in a lab that was built from [`homes`] of `kinds` kinds: a row for each that sends first, with a
/// column for each other.
///
/// # Errors
/// When it cannot be tried.
pub async fn punch_all(lab: &Lab, kinds: usize) -> Result<Vec<Vec<bool>>> {
    let bench = Bench::open(lab).await?;
    let mut rows = Vec::new();
    for first in 0..kinds {
        let mut row = Vec::new();
        for second in kinds..2 * kinds {
            row.push(punch(&bench, &format!("host{first}"), &format!("host{second}")).await?);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Whether both hear each other. Each packet has arrived or is lost before the other side sends, so that it is certain
/// who was first.
async fn punch(bench: &Bench<'_>, first: &str, second: &str) -> Result<bool> {
    let (first, second) = (bench.fresh(first).await?, bench.fresh(second).await?);
    let first_seen = bench.out(&first, bench.peer(TEN)).await?;
    let second_seen = bench.out(&second, bench.peer(TEN)).await?;
    let (to_first, to_second) = (
        bench.fence(first_seen, &first),
        bench.fence(second_seen, &second),
    );
    // Where each side believes the other to be: where it was said to be, and where packets came from.
    let (mut firsts, mut seconds) = (vec![first_seen], vec![second_seen]);
    let (mut sent_by_first, mut sent_by_second) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let heard = bench.volley(&first, &seconds, &to_second, &mut sent_by_first);
        let heard_by_second = heard.await?;
        firsts.extend(&heard_by_second);
        let heard = bench.volley(&second, &firsts, &to_first, &mut sent_by_second);
        let heard_by_first = heard.await?;
        seconds.extend(&heard_by_first);
        if !heard_by_first.is_empty() && !heard_by_second.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
