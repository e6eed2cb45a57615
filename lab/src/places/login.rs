//! What a guest of a captive portal does: looks up a name, is sent to the login page, and presses the button there.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::timeout;

use super::http::Answer;
use super::portal::LOGIN;
use super::{GUESTS, PORTAL, dns, failed, http};
use crate::fabric::{Lab, Node, Result, udp_socket};
use crate::plan::{Place, Ruleset};

/// What a guest wants to see; nobody has that name.
const PAGE: &str = "connectivity-check.example";

/// How long an answer to a name may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Logs a machine in at the portal of a venue, by its browser's own way there.
///
/// # Errors
/// When the venue has no portal, or does not lead to a login that is accepted.
pub async fn log_in(lab: &Lab, device: &str, venue: &str) -> Result<()> {
    let (device, place) = (lab.node(device)?, with_portal(lab, venue)?);
    let action = login_page(device, place.address).await?;
    let answer = http::ask(device, (place.address, 80), ("POST", &action, PAGE)).await?;
    if answer.status == 200 {
        return Ok(());
    }
    Err(unexpected(device, &answer))
}

/// Has the portal of a venue forget everybody who logged in there, as when the time they paid for is over.
///
/// # Errors
/// When the venue has no portal.
pub async fn forget_guests(lab: &Lab, venue: &str) -> Result<()> {
    let router = lab.node(&with_portal(lab, venue)?.router)?;
    let forgetting = Ruleset {
        kind: "without guests".to_owned(),
        text: format!("flush set inet {PORTAL} {GUESTS}\n"),
    };
    router.load(forgetting).await
}

fn with_portal<'a>(lab: &'a Lab, venue: &str) -> Result<&'a Place> {
    let router = lab.node(venue)?;
    let place = lab.plan().place(venue);
    let place = place.filter(|place| place.portal.is_some());
    place.ok_or_else(|| failed(router, "find its portal", "this venue has no portal"))
}

/// Where the form is to be sent to on which a machine ends up that asks for a page somewhere else.
pub(super) async fn login_page(device: &Node, router: Ipv4Addr) -> Result<String> {
    let there = look_up(device, router).await?;
    if there != router {
        let reason = format!("{PAGE} is {there} and not the portal's address {router}");
        return Err(failed(device, "find the portal", reason));
    }
    let answer = http::ask(device, (there, 80), ("GET", "/", PAGE)).await?;
    let page = format!("http://{router}{LOGIN}");
    if answer.status != 302 || answer.location != Some(page) {
        return Err(unexpected(device, &answer));
    }
    let host = router.to_string();
    let answer = http::ask(device, (router, 80), ("GET", LOGIN, &host)).await?;
    let action = answer.body.split("action=\"").nth(1);
    match action.and_then(|rest| rest.split('"').next()) {
        Some(action) if answer.status == 200 => Ok(action.to_owned()),
        _ => Err(unexpected(device, &answer)),
    }
}

/// The address of [`PAGE`], according to the venue's resolver.
async fn look_up(device: &Node, resolver: Ipv4Addr) -> Result<Ipv4Addr> {
    const ID: u16 = 7;
    let socket = udp_socket(device, Ipv4Addr::UNSPECIFIED, 0).await?;
    let asked = async {
        socket
            .send_to(&dns::question(ID, PAGE), (resolver, 53))
            .await?;
        let mut answer = [0; 512];
        let (len, _) = socket.recv_from(&mut answer).await?;
        std::io::Result::Ok(dns::address(answer.get(..len).unwrap_or_default(), ID))
    };
    let what = format!("look up {PAGE}");
    let late = |_| {
        failed(
            device,
            &what,
            format!("no answer within {} s", LIMIT.as_secs()),
        )
    };
    let answer = timeout(LIMIT, asked).await.map_err(late)?;
    let address = answer.map_err(|error| failed(device, &what, error))?;
    address.ok_or_else(|| failed(device, &what, "the answer has no address"))
}

fn unexpected(device: &Node, answer: &Answer) -> crate::fabric::FabricError {
    failed(
        device,
        "log in at the portal",
        format!("it answered {answer:?}"),
    )
}
