// MQTT.js in Node; it is found in the folder node_modules of NODE_PATH.
"use strict";

const fs = require("fs");
const readline = require("readline");
const mqtt = require("mqtt");
const { makeDriver } = require("./mqtt_js.js");

const [host, port, transport, version, caFile] = process.argv.slice(2);
const scheme = { tcp: "mqtt", tls: "mqtts", ws: "ws", wss: "wss" }[transport];
const options = transport === "tls" || transport === "wss" ? { ca: fs.readFileSync(caFile) } : {};

function say(line) {
  process.stdout.write(line + "\n", () => {
    if (line === "disconnected" || line.startsWith("error ")) process.exit(line === "disconnected" ? 0 : 1);
  });
}

const take = makeDriver(mqtt, say, `${scheme}://${host}:${port}`, Number(version), { options, Buffer });
readline.createInterface({ input: process.stdin })
  .on("line", line => line === "drop" ? process.exit(0) : take(line))
  .on("close", () => process.exit(0));
