//! The service from outside.
//!
//! - a stale price is served at once, whatever its refresh does, and then the new one;
//! - nor does it wait for anybody else's;
//! - what has happened can be scraped;
//! - the alerts, the dashboard and the runbook of `ops/` are about what can be scraped;
//! - the service ends when the refreshes that run have ended.

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower::ServiceExt;
use xfetch_example_service::App;
use xfetch_example_service::origin::Down;

const LONG: Duration = Duration::from_secs(3_600);
/// After this nothing more will come: what hangs is a failure, and not a hung test.
const HANGS: Duration = Duration::from_secs(60);

/// An origin that a test holds in its hands.
struct Origin {
    answers: Sender<u64>,
    asked: Receiver<()>,
}

/// A service whose origin tells that it was asked, and then waits until the test has sent it a price.
fn service(fresh: Duration) -> (App, Origin) {
    let (answers, next) = channel();
    let (tell, asked) = channel();
    let next = Mutex::new(next);
    let origin = move |_: &str| {
        tell.send(()).ok();
        next.lock().expect("no panic").recv().map_err(|_| Down)
    };
    (App::new((fresh, LONG), origin).expect("valid"), Origin { answers, asked })
}

async fn ask(app: &App, method: Method, path: &str) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("valid");
    let response =
        timeout(HANGS, app.routes().oneshot(request)).await.expect("it waits for nobody");
    let response = response.expect("infallible");
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("it is all there");
    (head.status, String::from_utf8(body.into()).expect("text"))
}

/// The price and its freshness.
fn read(body: &str) -> (u64, String) {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    (body["cents"].as_u64().expect("a price"), body["freshness"].as_str().expect("one").to_owned())
}

async fn price(app: &App) -> (u64, String) {
    let (status, body) = ask(app, Method::GET, "/price/ACME").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    read(&body)
}

#[tokio::test]
async fn a_stale_price_is_served_at_once_and_then_the_new_one() {
    let (app, origin) = service(Duration::ZERO);
    origin.answers.send(1).expect("somebody listens");
    assert_eq!(price(&app).await, (1, "fresh".into()), "absent: computed");
    // The origin has nothing to say: who waits for it hangs here.
    assert_eq!(price(&app).await, (1, "stale".into()));
    assert_eq!(price(&app).await, (1, "stale".into()));
    origin.answers.send(2).expect("somebody listens");
    let refreshed = async {
        while price(&app).await.0 == 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(HANGS, refreshed).await.expect("it is refreshed");
    assert_eq!(price(&app).await.0, 2);
}

/// Misses may take all threads that may be blocked: here that is one.
#[test]
fn a_stale_price_waits_for_no_miss_of_another() {
    // Made first and so dropped last: it waits for those who wait for the origin.
    let runtime =
        Builder::new_multi_thread().max_blocking_threads(1).enable_time().build().expect("threads");
    let (app, origin) = service(Duration::ZERO);
    origin.answers.send(1).expect("somebody listens");
    runtime.block_on(price(&app));
    origin.asked.recv_timeout(HANGS).expect("the origin is asked");
    let other = app.clone();
    let miss = runtime.spawn(async move { ask(&other, Method::GET, "/price/OTHER").await.0 });
    origin.asked.recv_timeout(HANGS).expect("the origin is asked, and says nothing yet");
    assert_eq!(runtime.block_on(price(&app)), (1, "stale".into()));
    drop(origin);
    assert_eq!(runtime.block_on(miss).expect("no panic"), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_fresh_price_is_served_until_it_is_invalidated() {
    let (app, origin) = service(LONG);
    origin.answers.send(1).expect("somebody listens");
    origin.answers.send(2).expect("somebody listens");
    assert_eq!(price(&app).await, (1, "fresh".into()));
    assert_eq!(price(&app).await, (1, "fresh".into()));
    let (status, _) = ask(&app, Method::POST, "/price/ACME/invalidate").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(price(&app).await, (2, "fresh".into()));
}

#[tokio::test]
async fn what_has_happened_can_be_scraped() {
    let (app, origin) = service(LONG);
    origin.answers.send(1).expect("somebody listens");
    price(&app).await;
    price(&app).await;
    let (status, text) = ask(&app, Method::GET, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    let has = |line: &str| assert!(text.lines().any(|is| is == line), "no {line:?} in\n{text}");
    has("# TYPE xfetch_computes_total counter");
    has("xfetch_computes_total 1");
    has("xfetch_hits_fresh_total 1");
    has("# TYPE xfetch_keys gauge");
    has("xfetch_keys 1.0");
    has("xfetch_in_flight 0.0");
    for (name, _) in app.metrics.snapshot().counters() {
        assert!(text.contains(&format!("\nxfetch_{name}_total ")), "no {name} in\n{text}");
    }
}

/// A file for operators.
fn ops(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ops").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every `xfetch_[a-z_]+` of a text.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    words.filter(|word| word.starts_with("xfetch_")).collect()
}

/// What stands behind this label, in all lines that have it.
fn labelled<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix(label)).collect()
}

#[tokio::test]
async fn what_operators_look_at_is_served() {
    let (app, _origin) = service(LONG);
    let (_, scraped) = ask(&app, Method::GET, "/metrics").await;
    let samples: Vec<_> = scraped.lines().filter(|line| !line.starts_with('#')).collect();
    let samples = samples.join("\n");
    let served = metrics_in(&samples);
    for file in ["alerts.yml", "dashboard.json", "README.md", "RUNBOOK.md"] {
        let text = ops(file);
        let named = metrics_in(&text);
        let unknown: Vec<_> = named.difference(&served).collect();
        assert!(unknown.is_empty(), "ops/{file} names {unknown:?}, which nobody serves");
        assert!(!named.is_empty() || file.ends_with(".md"), "ops/{file} names no metric");
    }
    // The input of the alerts' tests is all that is scraped, as it is in production.
    assert_eq!(metrics_in(&ops("tests.yml")), served);
}

#[test]
fn every_alert_has_its_section_in_the_runbook() {
    let (alerts, runbook, tests) = (ops("alerts.yml"), ops("RUNBOOK.md"), ops("tests.yml"));
    let names = labelled(&alerts, "- alert: ");
    assert_eq!(labelled(&runbook, "## "), names);
    let of = |name: &&str| format!("ops/RUNBOOK.md#{}", name.to_lowercase());
    let links: Vec<_> = names.iter().map(of).collect();
    assert_eq!(labelled(&alerts, "runbook_url: "), links);
    for name in names {
        let fires = format!("exp_samples: [{{ labels: '{{alertname=\"{name}\"}}', value: 1 }}]");
        assert_eq!(labelled(&tests, &fires).len(), 1, "an hour in which {name} alone fires");
    }
}

#[test]
fn the_dashboard_names_no_data_source_of_its_own() {
    fn uids<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("uid"));
                fields.values().for_each(|field| uids(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| uids(item, found)),
            _ => {}
        }
    }
    let dashboard: Value = serde_json::from_str(&ops("dashboard.json")).expect("JSON");
    assert_eq!(dashboard["templating"]["list"][0]["name"], "datasource");
    let mut found = Vec::new();
    uids(&dashboard, &mut found);
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(found.len() > panels.len(), "{found:?}");
    assert!(found.iter().all(|uid| **uid == "${datasource}"), "{found:?}");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has its own id");
}

#[tokio::test]
async fn what_cannot_be_served_says_why() {
    let (app, origin) = service(LONG);
    drop(origin);
    let (status, body) = ask(&app, Method::GET, "/price/ACME").await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(body, "the compute failed: the origin is down\n");
    let (status, body) = ask(&app, Method::GET, "/price/A-1").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body, "a symbol has 1 to 12 letters and digits, not \"A-1\"\n");
}

/// What is said over a connection of its own.
fn over_tcp(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    answer
}

#[test]
fn the_service_ends_when_a_refresh_that_runs_has_ended() {
    let runtime = Runtime::new().expect("threads");
    let (app, origin) = service(Duration::ZERO);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("bound");
    let (stop, stopped) = oneshot::channel();
    let serves = runtime.spawn(app.clone().serve(listener, async { drop(stopped.await) }));

    origin.answers.send(1).expect("somebody listens");
    for freshness in ["fresh", "stale"] {
        let answer = over_tcp(address, "/price/ACME");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        assert_eq!(read(body), (1, freshness.to_owned()));
        origin.asked.recv_timeout(HANGS).expect("the origin is asked");
    }
    stop.send(()).expect("it serves");
    while TcpStream::connect(address).is_ok() {
        thread::yield_now();
    }
    assert!(!serves.is_finished(), "its refresh runs");
    origin.answers.send(2).expect("the refresh waits for it");
    runtime.block_on(serves).expect("no panic").expect("no error");
    let counted = app.metrics.snapshot();
    assert_eq!((counted.published, counted.in_flight()), (2, 0));
    assert_eq!(app.prices.get(&"ACME".to_owned()).expect("it is kept").cents, 2);
}
