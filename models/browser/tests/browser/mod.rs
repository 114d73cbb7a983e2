//! A headless Chromium that is told what to do: https://chromedevtools.github.io/devtools-protocol/

use serde_json::{Value, json};
use std::env;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket, connect};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a test fails if it cannot look.
pub fn must() -> bool {
    env::var_os("XFETCH_BROWSER").is_some()
}

/// A browser with one page. It ends with the test, and fails it if the page wrote to its console.
pub struct Browser {
    process: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    told: u64,
    /// What the console has.
    console: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// A page of this width. Nothing, and a loud line, if there is no Chromium.
    pub fn start(width: u32) -> Option<Self> {
        let profile = tempfile::tempdir().expect("a folder");
        let started = Command::new("chromium")
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ])
            .args(["--remote-debugging-port=0", "about:blank"])
            .arg(format!("--window-size={width},1400"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut process) = started else {
            assert!(!must(), "XFETCH_BROWSER is set, and there is no chromium");
            eprintln!("NOT CHECKED: there is no chromium (Debian: chromium)");
            return None;
        };
        let mut lines = BufReader::new(process.stderr.take()?).lines().map_while(Result::ok);
        let address =
            lines.find_map(|line| Some(line.strip_prefix("DevTools listening on ")?.to_owned()));
        let address = address.expect("Chromium says where it listens");
        // Nobody reads the rest, and a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        let (socket, _) = connect(address).expect("it listens");
        let mut browser = Self {
            process,
            socket,
            session: None,
            told: 0,
            console: Vec::new(),
            _profile: profile,
        };
        let target = browser.tell("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.tell("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.tell(domain, json!({}));
        }
        let size = json!({ "width": width, "height": 1400, "deviceScaleFactor": 1, "mobile": width < 600 });
        browser.tell("Emulation.setDeviceMetricsOverride", size);
        Some(browser)
    }

    /// Tells it something, and waits for the answer.
    pub fn tell(&mut self, method: &str, parameters: Value) -> Value {
        self.told += 1;
        let mut message = json!({ "id": self.told, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(message.to_string())).expect("it hears");
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let text = self.socket.read().expect("it answers");
            let Ok(answer) = serde_json::from_str::<Value>(text.to_text().unwrap_or_default())
            else {
                continue;
            };
            if answer["id"] == json!(self.told) {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            let kind = answer["method"].as_str().unwrap_or_default();
            if ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"]
                .contains(&kind)
            {
                self.console.push(answer["params"].clone());
            }
        }
        panic!("{method}: no answer in {PATIENCE:?}");
    }

    /// Opens an address, and waits until it is there.
    pub fn open(&mut self, address: &str) {
        self.tell("Page.navigate", json!({ "url": address }));
        let began = Instant::now();
        while self.value("document.readyState") != json!("complete") {
            assert!(began.elapsed() < PATIENCE, "{address} does not load");
            sleep(Duration::from_millis(20));
        }
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let evaluate =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let given = self.tell("Runtime.evaluate", evaluate);
        assert!(given["exceptionDetails"].is_null(), "{}", given["exceptionDetails"]);
        given["result"]["value"].clone()
    }

    /// Clicks in the middle of an element.
    pub fn click(&mut self, selector: &str) {
        let place = self.value(&format!(
            "(() => {{ const it = document.querySelector({selector:?}); it.scrollIntoView({{ block: 'center' }});
               const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.tell("Input.dispatchMouseEvent", event);
        }
        self.settle();
    }

    /// Presses Enter where the focus is.
    pub fn press_enter(&mut self) {
        let key =
            json!({ "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r" });
        for kind in ["keyDown", "keyUp"] {
            let mut event = key.clone();
            event["type"] = json!(kind);
            self.tell("Input.dispatchKeyEvent", event);
        }
        self.settle();
    }

    /// Waits until the page has heard of a change of its address.
    fn settle(&mut self) {
        self.value(
            "new Promise((done) => setTimeout(() => requestAnimationFrame(() => done(0)), 0))",
        );
    }

    /// What is seen, as base64 of a PNG.
    pub fn photograph(&mut self) -> String {
        let picture = self.tell("Page.captureScreenshot", json!({ "format": "png" }));
        picture["data"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        if !std::thread::panicking() {
            assert!(self.console.is_empty(), "the console has {:#}", json!(self.console));
        }
    }
}
