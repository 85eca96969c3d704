// MQTT.js in a page of headless Chromium. The page gets commands as server-sent events and posts its answers; `drop` kills
// the browser. For wss the page trusts exactly the key of the server's certificate, SERVER_CERTIFICATE (a file): a
// private authority cannot be given to a browser by a flag.
"use strict";

const crypto = require("crypto");
const fs = require("fs");
const http = require("http");
const os = require("os");
const path = require("path");
const readline = require("readline");
const { spawn } = require("child_process");

const [host, port, transport, version] = process.argv.slice(2);
const bundle = path.join(path.dirname(require.resolve("mqtt/package.json")), "dist", "mqtt.js");
const page = `<!doctype html><meta charset="utf-8"><script src="/mqtt.js"></script><script src="/driver.js"></script><script>
const say = line => { sent = sent.then(() => fetch("/line", { method: "POST", body: line })); };
let sent = Promise.resolve();
const take = makeDriver(mqtt, say, "${transport}://${host}:${port}", ${Number(version)},
                        { options: {}, Buffer: { from: bytes => bytes } });
new EventSource("/commands").onmessage = event => take(JSON.parse(event.data));
</script>`;

const profile = fs.mkdtempSync(path.join(os.tmpdir(), "martlet-chromium-"));
let browser = null;
let commands = null;
const waiting = [];

function leave(status) {
  if (browser !== null && browser.exitCode === null) {
    browser.removeAllListeners("exit");
    browser.once("exit", () => remove(status));
    process.kill(-browser.pid, "SIGKILL");  // the group that it leads: its helpers, too
  } else {
    remove(status);
  }
}

function remove(status) {
  fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  process.exit(status);
}

function hear(line) {
  process.stdout.write(line + "\n");
  if (line === "disconnected") leave(0);
  if (line.startsWith("error ")) leave(1);
}

function command(line) {
  if (line === "drop") return leave(0);
  if (commands === null) waiting.push(line);
  else commands.write(`data: ${JSON.stringify(line)}\n\n`);
}

const files = { "/": ["text/html", () => page], "/mqtt.js": ["text/javascript", () => fs.readFileSync(bundle)],
  "/driver.js": ["text/javascript", () => fs.readFileSync(path.join(__dirname, "mqtt_js.js"))] };

const server = http.createServer((request, response) => {
  if (request.url === "/commands") {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    commands = response;
    waiting.splice(0).forEach(command);
  } else if (request.url === "/line" && request.method === "POST") {
    let body = "";
    request.on("data", piece => { body += piece; }).on("end", () => { response.end(); hear(body); });
  } else if (files[request.url] !== undefined) {
    const [type, content] = files[request.url];
    response.writeHead(200, { "Content-Type": type }).end(content());
  } else {
    response.writeHead(404).end();
  }
});

server.listen(0, "127.0.0.1", () => {
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    `--user-data-dir=${profile}`];
  if (transport === "wss") {
    const key = new crypto.X509Certificate(fs.readFileSync(process.env.SERVER_CERTIFICATE)).publicKey;
    const digest = crypto.createHash("sha256").update(key.export({ type: "spki", format: "der" })).digest("base64");
    flags.push(`--ignore-certificate-errors-spki-list=${digest}`);
  }
  browser = spawn(process.env.CHROMIUM || "chromium", [...flags, `http://127.0.0.1:${server.address().port}/`],
    { stdio: "ignore", detached: true });
  browser.once("exit", code => { hear(`error chromium: it ended with ${code}`); });
});

process.on("SIGTERM", () => leave(1));
readline.createInterface({ input: process.stdin }).on("line", command).on("close", () => leave(0));
