//! Kits: switched on and off, coffee brewed on them, connections to them that are kept.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::Context;
use cucumber::{given, then, when};
use tokio::time::{sleep, timeout};

use super::{Outcome, World, fail, seconds};
use crate::observe::{self, CoapAnswer, Talk};
use crate::radio::COFFEE;

/// What a request that must be answered at once may take, on a radio and under load.
const ANSWER: Duration = Duration::from_secs(10);

/// When to try again what was refused.
const AGAIN: Duration = Duration::from_millis(20);

#[given(expr = "{word} is switched off")]
#[when(expr = "{word} is switched off")]
async fn off(world: &mut World, kit: String) -> Outcome {
    let lab = world.lab.as_mut().context("no network stands yet")?;
    Ok(lab.switch_off(&kit).await?)
}

/// Figures are told from here on.
#[when(expr = "{word} is switched on")]
async fn on(world: &mut World, kit: String) -> Outcome {
    world.since = Some((Instant::now(), ", counted from when it was switched on"));
    let lab = world.lab.as_mut().context("no network stands yet")?;
    Ok(lab.switch_on(&kit).await?)
}

/// One cup more than before, that is.
#[then(expr = "{word} brews coffee on {word} within {float} s")]
async fn brews(world: &mut World, host: String, kit: String, limit: f64) -> Outcome {
    let end = tokio::time::Instant::now() + seconds(limit)?;
    let left = || end.saturating_duration_since(tokio::time::Instant::now());
    let before = cups(&told(world, &host, &kit, "GET", COFFEE, left()).await?)?;
    let asked = told(world, &host, &kit, "POST", COFFEE, left()).await?;
    if asked.code != "2.04" {
        fail!("{kit} answered {} {:?}", asked.code, asked.text);
    }
    loop {
        let now = told(world, &host, &kit, "GET", COFFEE, left()).await?;
        if cups(&now)? > before && now.text.starts_with("ready") {
            return Ok(());
        }
        if left().is_zero() {
            fail!("{kit} said at last: {}", now.text);
        }
    }
}

#[then(expr = "{word} is answered {string} when it asks {word} to {word} {string}")]
async fn answered(
    world: &mut World,
    host: String,
    code: String,
    kit: String,
    method: String,
    path: String,
) -> Outcome {
    let answer = told(world, &host, &kit, &method, &path, ANSWER).await?;
    if answer.code != code {
        fail!("it was answered {} {:?}", answer.code, answer.text);
    }
    Ok(())
}

/// By TCP, and the kit says everything back. As long as the Pi has no link to the kit it tells that nothing leads there.
#[when(expr = "{word} begins a conversation with {word}")]
async fn begins(world: &mut World, host: String, kit: String) -> Outcome {
    let (node, address) = (world.node(&host)?, world.address(&kit)?);
    let end = Instant::now() + ANSWER;
    let talk = loop {
        let left = end.saturating_duration_since(Instant::now());
        let talk = timeout(left, Talk::begin(node, address)).await;
        match talk.with_context(|| format!("{kit} did not answer"))?? {
            Err(error) if error.kind() == ErrorKind::NetworkUnreachable => sleep(AGAIN).await,
            talk => break talk.with_context(|| format!("connect to {kit}"))?,
        }
    };
    world.talk = Some(talk);
    goes_on(world, ANSWER.as_secs_f64()).await
}

/// On the same connection, and nothing that was said is missing.
#[then(expr = "the conversation goes on within {float} s")]
async fn goes_on(world: &mut World, limit: f64) -> Outcome {
    let talk = world.talk.as_mut().context("nobody has begun one")?;
    let before = talk.heard().octets;
    let more = async {
        while talk.heard().octets == before && talk.heard().ended.is_none() {
            talk.goes_on().await;
        }
    };
    let more = timeout(seconds(limit)?, more).await;
    let heard = talk.heard();
    if let Some(why) = heard.ended {
        fail!("it has ended: {why}");
    }
    if more.is_err() {
        fail!("nothing was heard; {before} octets were before");
    }
    Ok(())
}

/// And it goes on.
#[then(expr = "the conversation has paused for less than {float} s")]
async fn paused(world: &mut World, limit: f64) -> Outcome {
    goes_on(world, limit).await?;
    let talk = world.talk.as_ref().context("nobody has begun one")?;
    let pause = talk.heard().longest_pause;
    let told = format!(
        "the conversation has paused for {:.2} s",
        pause.as_secs_f64()
    );
    world.measured.push(told);
    if pause >= seconds(limit)? {
        fail!("it has paused for {:.2} s", pause.as_secs_f64());
    }
    Ok(())
}

async fn told(
    world: &World,
    host: &str,
    kit: &str,
    method: &str,
    path: &str,
    within: Duration,
) -> anyhow::Result<CoapAnswer> {
    let asked = observe::coap(world.node(host)?, world.address(kit)?, method, path, within).await?;
    asked.with_context(|| format!("{kit} did not answer {host}"))
}

/// How many cups were made.
fn cups(answer: &CoapAnswer) -> anyhow::Result<u32> {
    let words = answer.text.split_whitespace();
    let number = words.filter_map(|word| word.parse().ok()).next();
    number.with_context(|| format!("answered {} {:?}", answer.code, answer.text))
}
