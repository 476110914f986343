//! reqwest-eventsource: prints each event, and comes back by itself.

use futures::StreamExt;
use reqwest_eventsource::{Event, EventSource};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let mut source = EventSource::get(url);
    while let Some(event) = source.next().await {
        match event {
            Ok(Event::Open) => {}
            Ok(Event::Message(m)) => println!("{}", json!({"id": m.id, "type": m.event, "data": m.data})),
            // Whoever closes it here gets no further.
            Err(error) => eprintln!("{error}"),
        }
    }
}
