//! eventsource-client: prints each event, and comes back by itself.

use std::time::Duration;

use eventsource_client::{Client, ClientBuilder, ReconnectOptions, SSE};
use futures::StreamExt;
use launchdarkly_sdk_transport::HyperTransport;
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("a URL")?;
    // The read time-out: longer than the responders' --keepalive.
    let transport = HyperTransport::builder().read_timeout(Duration::from_secs(60)).build_http()?;
    let reconnect = ReconnectOptions::reconnect(true).delay(Duration::from_millis(200)).build();
    let client = ClientBuilder::for_url(&url)?.reconnect(reconnect).build_with_transport(transport);
    let mut stream = client.stream();
    while let Some(event) = stream.next().await {
        match event {
            Ok(SSE::Event(e)) => println!("{}", json!({"id": e.id, "type": e.event_type, "data": e.data})),
            Ok(_) => {} // connected, or a comment
            Err(error) => eprintln!("{error:?}"),
        }
    }
    Ok(())
}
