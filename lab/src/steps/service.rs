//! Services that listen for both families at once.

use cucumber::{given, then};

use super::{Outcome, World, fail, seconds};
use crate::observe::Talk;
use crate::radio;

/// By TCP and by one socket, as daemons do that were written for IPv6.
#[given(expr = "{word} offers an echo to both families")]
async fn offers(world: &mut World, host: String) -> Outcome {
    serve(world, &host, radio::echo()).await
}

/// As kits have one, for which there is nothing in a kit that another machine does not have.
#[given(expr = "{word} has a coffee machine too")]
async fn coffee(world: &mut World, host: String) -> Outcome {
    serve(world, &host, radio::coffee_machine()).await
}

/// Until the machine is gone.
async fn serve(
    world: &World,
    host: &str,
    service: impl Future<Output = Result<(), radio::RadioError>> + Send + 'static,
) -> Outcome {
    let begin = async {
        tokio::task::spawn_local(async {
            if let Err(error) = service.await {
                tracing::warn!(%error, "a service has ended");
            }
        });
    };
    Ok(world.node(host)?.run(move || Box::pin(begin)).await?)
}

#[then(expr = "the echo of {word} answers {word} at {string} within {float} s")]
async fn answers(
    world: &mut World,
    host: String,
    from: String,
    address: String,
    limit: f64,
) -> Outcome {
    let Ok(address) = address.parse() else {
        fail!("{address:?} is no address of {host}'s");
    };
    let node = world.node(&from)?;
    let talks = async {
        let mut talk = Talk::begin(node, address).await??;
        talk.goes_on().await;
        anyhow::Ok(talk.heard().ended)
    };
    match tokio::time::timeout(seconds(limit)?, talks).await {
        Ok(ended) => match ended? {
            None => Ok(()),
            Some(why) => fail!("{why}"),
        },
        Err(_) => fail!("nothing came back"),
    }
}
