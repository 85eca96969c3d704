// MQTT.js: the commands of a driver, for Node and for a page in a browser alike. `mqtt` is the library, `say` writes a
// line; returns what takes a line.
"use strict";

function makeDriver(mqtt, say, url, version, more) {
  let client = null;
  const fromHex = text => text === "-" ? new Uint8Array(0)
    : Uint8Array.from(text.match(/../g), pair => parseInt(pair, 16));
  const toHex = bytes => bytes.length === 0 ? "-"
    : Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
  const fail = (what, why) => say(`error ${what}: ${why}`);
  // A "Buffer" is what MQTT.js takes; it brings its own to the browser.
  const payloadOf = text => more.Buffer.from(fromHex(text));

  function connect(words) {
    const options = {
      clientId: words[1], clean: words[2] === "1", protocolVersion: version, reconnectPeriod: 0,
      protocolId: version === 3 ? "MQIsdp" : "MQTT", ...more.options,
    };
    if (version === 5 && !options.clean) options.properties = { sessionExpiryInterval: 300 };
    if (words.length === 8) {
      options.will = { topic: words[4], qos: Number(words[5]), retain: words[6] === "1", payload: payloadOf(words[7]) };
    }
    client = mqtt.connect(url, options);
    client.on("message", (topic, payload, packet) =>
      say(`message ${topic} ${packet.qos} ${packet.retain ? 1 : 0} ${toHex(payload)}`));
    client.on("error", error => fail("connection", error.message));
    client.once("connect", connack => say(`connected ${version === 3 ? "?" : connack.sessionPresent ? 1 : 0}`));
  }

  return line => {
    const words = line.trim().split(" ");
    switch (words[0]) {
      case "connect": return connect(words);
      case "subscribe":
        return client.subscribe(words[1], { qos: Number(words[2]) },
          error => error ? fail("subscribe", error) : say("subscribed"));
      case "publish":
        return client.publish(words[1], payloadOf(words[4]), { qos: Number(words[2]), retain: words[3] === "1" },
          error => error ? fail("publish", error) : say("published"));
      case "disconnect": return client.end(false, () => say("disconnected"));
      default: fail("command", words[0]);
    }
  };
}

if (typeof module !== "undefined") module.exports = { makeDriver };
