// The broker's status page in headless Chromium: it plots live, and it is an MQTT client of the broker.
//
//   node status_page.js MARTLET [SCREENSHOT.png [SECONDS]]
//
// With SCREENSHOT the page is watched for SECONDS (20) of traffic first, then photographed. "ws" is found by NODE_PATH.
"use strict";

const fs = require("fs");
const os = require("os");
const path = require("path");
const { spawn } = require("child_process");
const WebSocket = require("ws");

const [martlet, screenshot, seconds] = process.argv.slice(2);
const profile = fs.mkdtempSync(path.join(os.tmpdir(), "martlet-page-"));
const running = [];

function start(command, words, options) {
  const program = spawn(command, words, { stdio: ["ignore", "pipe", "pipe"], detached: true, ...options });
  running.push(program);
  return program;
}

// The first line of a stream that matches.
function lineOf(stream, pattern) {
  return new Promise((resolve, reject) => {
    let text = "";
    stream.on("data", piece => {
      text += piece;
      const found = text.match(pattern);
      if (found) resolve(found);
    }).on("end", () => reject(new Error(`the output ended without ${pattern}: ${text}`)));
  });
}

function leave(status) {
  for (const program of running) {
    if (program.exitCode === null) try { process.kill(-program.pid, "SIGKILL"); } catch { /* it has just ended */ }
  }
  fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  process.exit(status);
}

// The DevTools protocol: one page.
async function openPage(url) {
  const browser = start(process.env.CHROMIUM || "chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--disable-dev-shm-usage", "--window-size=1040,1520", "--remote-debugging-port=0", `--user-data-dir=${profile}`]);
  const [, where] = await lineOf(browser.stderr, /DevTools listening on (ws:\S+)/);
  const socket = new WebSocket(where, { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const waiting = new Map();
  let last = 0;
  let onLoad = null;
  const loaded = new Promise(resolve => { onLoad = resolve; });
  socket.on("message", data => {
    const answer = JSON.parse(data);
    if (answer.method === "Page.loadEventFired") onLoad();
    if (answer.id === undefined) return;
    const [resolve, reject] = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error) reject(new Error(answer.error.message));
    else resolve(answer.result);
  });
  let sessionId;
  const ask = (method, params = {}) => new Promise((resolve, reject) => {
    waiting.set(++last, [resolve, reject]);
    socket.send(JSON.stringify({ id: last, method, params, sessionId }));
  });
  const { targetId } = await ask("Target.createTarget", { url: "about:blank" });
  ({ sessionId } = await ask("Target.attachToTarget", { targetId, flatten: true }));
  await ask("Page.enable");
  await ask("Page.navigate", { url });
  await loaded;
  return ask;
}

async function main() {
  const broker = start(martlet, ["broker", "-p", "0", "--listen", "ws://127.0.0.1:0", "--http", "0", "--json-ready"]);
  const [line] = await lineOf(broker.stdout, /\{.*\}/);
  const { port, http_port: httpPort } = JSON.parse(line);
  const traffic = [];
  const flow = (words, input) => {
    const program = start(martlet, [...words, "-h", "127.0.0.1", "-p", String(port)],
      { stdio: [input ? "pipe" : "ignore", "ignore", "inherit"] });
    traffic.push(program);
    return program;
  };
  flow(["sub", "-t", "plant/#"]);
  flow(["sub", "-t", "plant/+/temperature", "-q", "1"]);

  const ask = await openPage(`http://127.0.0.1:${httpPort}/`);
  const evaluate = async expression => {
    const { result, exceptionDetails } = await ask("Runtime.evaluate",
      { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description || exceptionDetails.text);
    return result.value;
  };
  // Resolves when the condition holds; looked at whenever the page changes.
  const until = condition => evaluate(`new Promise(resolve => {
    const look = () => { if (${condition}) { watch.disconnect(); resolve(true); } };
    const watch = new MutationObserver(look);
    watch.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    look();
  })`);
  const submit = (form, values) => evaluate(`(() => {
    for (const [id, value] of Object.entries(${JSON.stringify(values)})) document.getElementById(id).value = value;
    document.getElementById("${form}").requestSubmit();
  })()`);
  const log = text => `document.getElementById("log").textContent.includes(${JSON.stringify(text)})`;

  await until(`document.getElementById("state").textContent === "live"`);
  await until(`document.getElementById("url").options.length === 1`);
  await submit("connect", {});
  await until(`document.getElementById("link").textContent === "connected"`);
  await submit("subscribe", { filter: "plant/#" });
  await until(log("subscribed"));
  await submit("publish", { topic: "plant/7/note", payload: "grüße from the page" });
  await until(log("plant/7/note  grüße from the page"));
  // another client's message reaches the page, at QoS 1
  flow(["pub", "-t", "plant/7/temperature", "-m", "21.5", "-q", "1"]);
  await until(log("plant/7/temperature  21.5"));

  if (screenshot) {
    const source = flow(["pub", "-l", "-t", "plant/7/temperature", "-q", "1"], true);
    const end = Date.now() + 1000 * Number(seconds || 20);
    await new Promise(resolve => {
      const timer = setInterval(() => {
        if (Date.now() >= end) {
          clearInterval(timer);
          return resolve();
        }
        const phase = (end - Date.now()) / 3000;
        for (let i = 0; i < 20 + 15 * Math.sin(phase); ++i) source.stdin.write((21 + Math.random()).toFixed(2) + "\n");
      }, 100);
    });
    const { data } = await ask("Page.captureScreenshot", { format: "png" });
    fs.writeFileSync(screenshot, Buffer.from(data, "base64"));
  }
  console.log("the status page is live, connects, subscribes, publishes and receives");
  leave(0);
}

main().catch(error => {
  console.log(`FAIL status page: ${error.message}`);
  leave(1);
});
