//! `cargo run -p xfetch-example-service [ADDRESS]`, ended by ctrl-c.

use std::error::Error;
use std::time::Duration;
use tokio::net::TcpListener;
use xfetch_example_service::{App, origin};

const LIFETIMES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let app = App::new(LIFETIMES, origin::slow)?;
    let listener = TcpListener::bind(address).await?;
    let at = listener.local_addr()?;
    println!("curl http://{at}/price/ACME (twice, and again after 5 s)");
    println!("curl -X POST http://{at}/price/ACME/invalidate");
    println!("curl http://{at}/metrics");
    app.serve(listener, ctrl_c()).await?;
    println!("every request and every refresh has ended");
    Ok(())
}

async fn ctrl_c() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("stopping, because nobody could tell of ctrl-c: {error}");
    }
}
