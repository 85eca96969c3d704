// The status page's own MQTT client: MQTT 5 over WebSocket, QoS 0 to publish, up to QoS 1 to receive.
#pragma once

#include <string_view>

namespace martlet::broker_impl {

inline constexpr std::string_view page_client =
    R"html(<h2 class="client">Try it <span id="link">not connected</span></h2>
<form id="connect"><select id="url" aria-label="listener"></select><input id="user" placeholder="user name" autocomplete="off">
<input id="password" type="password" placeholder="password" autocomplete="off"><button>Connect</button></form>
<fieldset id="talk" disabled>
<form id="subscribe"><input id="filter" placeholder="filter" value="#" required><button>Subscribe</button></form>
<form id="publish"><input id="topic" placeholder="topic" required><input id="payload" placeholder="message">
<label><input id="retain" type="checkbox" style="flex:none;min-width:0"> retain</label><button>Publish</button></form>
</fieldset>
<div id="log" role="log"></div>
<script>
"use strict";
(() => {
  const at = id => document.getElementById(id), encoder = new TextEncoder(), decoder = new TextDecoder();
  let socket = null, input = new Uint8Array(0), lastId = 0, ping = 0;
  const tell = line => {
    const log = at("log"), row = document.createElement("div");
    row.textContent = line;
    log.appendChild(row);
    while (log.childElementCount > 200) log.firstChild.remove();
    log.scrollTop = log.scrollHeight;
  };
  const state = text => { at("link").textContent = text; at("talk").disabled = text !== "connected"; };

  // MQTT 5 on the wire
  const u16 = n => [n >> 8, n & 255];
  const text = s => { const bytes = encoder.encode(s); return [...u16(bytes.length), ...bytes]; };
  const varint = n => { const out = []; do { out.push((n & 127) | (n > 127 ? 128 : 0)); n >>= 7; } while (n); return out; };
  const send = (first, body) => socket.send(new Uint8Array([first, ...varint(body.length), ...body]));
  const hello = () => {
    const user = at("user").value, password = at("password").value;
    const flags = 2 | (user ? 128 : 0) | (password ? 64 : 0);
    send(0x10, [...text("MQTT"), 5, flags, ...u16(60), 0, ...text("page-" + crypto.getRandomValues(new Uint32Array(1))[0].toString(36)),
      ...(user ? text(user) : []), ...(password ? text(password) : [])]);
  };
  const handle = (first, body) => {
    const type = first >> 4;
    if (type === 2) {
      if (body[1] !== 0) { tell("refused: 0x" + body[1].toString(16)); return socket.close(); }
      state("connected");
      ping = setInterval(() => send(0xc0, []), 30000);
    } else if (type === 3) {
      const size = body[0] << 8 | body[1], qos = first >> 1 & 3, topic = decoder.decode(body.subarray(2, 2 + size));
      let from = 2 + size, length = 0, shift = 0, byte;
      if (qos) { send(0x40, [body[from], body[from + 1]]); from += 2; }
      do { byte = body[from++]; length |= (byte & 127) << shift; shift += 7; } while (byte & 128);
      const payload = body.subarray(from + length);
      tell(topic + (first & 1 ? " (retained)" : "") + "  " + decoder.decode(payload.subarray(0, 2000)) + (payload.length > 2000 ? " …" : ""));
    } else if (type === 9) {
      const code = body[body.length - 1];
      tell(code < 3 ? "subscribed" : "subscription refused: 0x" + code.toString(16));
    } else if (type === 14) {
      tell("disconnected by the broker: 0x" + (body[0] || 0).toString(16));
    }
  };
  const take = bytes => {
    const all = new Uint8Array(input.length + bytes.length);
    all.set(input); all.set(bytes, input.length);
    let from = 0;
    for (;;) {
      let size = 0, shift = 0, head = from + 1, byte = 128;
      while (head < all.length && byte & 128) { byte = all[head++]; size |= (byte & 127) << shift; shift += 7; }
      if (byte & 128 || head + size > all.length) break;
      handle(all[from], all.subarray(head, head + size));
      from = head + size;
    }
    input = all.slice(from);
  };

  at("connect").onsubmit = event => {
    event.preventDefault();
    if (socket) socket.close();
    const made = socket = new WebSocket(at("url").value, "mqtt");
    input = new Uint8Array(0);
    made.binaryType = "arraybuffer";
    state("connecting");
    made.onopen = hello;
    made.onmessage = message => { if (socket === made) take(new Uint8Array(message.data)); };
    made.onclose = () => { if (socket === made) { clearInterval(ping); state("not connected"); } };
  };
  at("subscribe").onsubmit = event => {
    event.preventDefault();
    lastId = lastId % 65535 + 1;
    send(0x82, [...u16(lastId), 0, ...text(at("filter").value), 1]);
  };
  at("publish").onsubmit = event => {
    event.preventDefault();
    send(0x30 | (at("retain").checked ? 1 : 0), [...text(at("topic").value), 0, ...encoder.encode(at("payload").value)]);
  };
  fetch("listeners.json", { cache: "no-store" }).then(answer => answer.json()).then(({ websockets }) => {
    for (const url of websockets) {
      const host = location.hostname, option = document.createElement("option");
      option.value = option.textContent = url.replace(/\/\/(0\.0\.0\.0|127\.0\.0\.1|localhost|\*|\[[0-9a-f:]*\])/, "//" + host);
      at("url").appendChild(option);
    }
    if (!websockets.length) { at("connect").replaceChildren("No listener for WebSocket: start the broker with --listen ws://127.0.0.1:8080"); }
  });
})();
</script>
)html";

}  // namespace martlet::broker_impl
