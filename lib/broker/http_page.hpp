// The status page: plots what /status.json says once a second. No resource from elsewhere; light and dark. Served as
// status_page, page_client (http_client_page.hpp), page_plots.
#pragma once

#include <string_view>

namespace martlet::broker_impl {

inline constexpr std::string_view status_page = R"html(<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>martlet broker</title>
<style>
:root { color-scheme: light dark; --line: #1769aa; --second: #b4531a; --grid: #8884; }
@media (prefers-color-scheme: dark) { :root { --line: #6cb8f0; --second: #f0a06c; } }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem auto; max-width: 64rem; padding: 0 1rem; }
h1 { font-size: 1.2rem; } h2 { font-size: .95rem; margin: 0 0 .3rem; font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); gap: 1.2rem; }
canvas { width: 100%; height: 9rem; display: block; }
table { border-collapse: collapse; margin-top: 1.5rem; width: 100%; }
td { padding: .15rem .5rem; border-bottom: 1px solid var(--grid); } td + td { text-align: right; font-variant-numeric: tabular-nums; }
.key { font-size: .85rem; } .a { color: var(--line); } .b { color: var(--second); }
#state { font-weight: 400; opacity: .7; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .5rem 0; }
input, select, button { font: inherit; padding: .15rem .4rem; } input { flex: 1 1 8rem; min-width: 5rem; }
h2.client { margin-top: 1.8rem; } fieldset { border: 0; margin: 0; padding: 0; }
#log { height: 12rem; overflow-y: auto; border: 1px solid var(--grid); padding: .3rem .5rem; font: 13px/1.5 ui-monospace, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
</style>
<h1>martlet broker <span id="state">connecting</span></h1>
<div class="plots">
<div><h2>Clients <span class="key"><span class="a">connected</span>, <span class="b">sessions</span></span></h2><canvas id="clients"></canvas></div>
<div><h2>Messages per second <span class="key"><span class="a">received</span>, <span class="b">sent</span></span></h2><canvas id="messages"></canvas></div>
<div><h2>Bytes per second <span class="key"><span class="a">received</span>, <span class="b">sent</span></span></h2><canvas id="bytes"></canvas></div>
<div><h2>Waiting messages <span class="key"><span class="a">queued</span></span></h2><canvas id="queued"></canvas></div>
</div>
<table id="values"></table>
)html";

inline constexpr std::string_view page_plots = R"html(<script>
"use strict";
const seconds = 120, series = { clients: [], messages: [], bytes: [], queued: [] };
let last = null, lastAt = 0;
const short = n => n >= 1e9 ? (n / 1e9).toFixed(1) + " G" : n >= 1e6 ? (n / 1e6).toFixed(1) + " M"
  : n >= 1e4 ? (n / 1e3).toFixed(1) + " k" : String(Math.round(n * 10) / 10);
function plot(name) {
  const canvas = document.getElementById(name), scale = devicePixelRatio || 1;
  const w = canvas.clientWidth, h = canvas.clientHeight, c = canvas.getContext("2d");
  canvas.width = w * scale; canvas.height = h * scale; c.scale(scale, scale);
  const css = getComputedStyle(document.documentElement), data = series[name];
  const top = Math.max(1, ...data.flat());
  c.font = "11px system-ui, sans-serif"; c.fillStyle = css.color; c.strokeStyle = css.getPropertyValue("--grid");
  for (const y of [0, .5, 1]) {
    const at = h - 4 - y * (h - 20);
    c.beginPath(); c.moveTo(0, at); c.lineTo(w, at); c.stroke(); c.fillText(short(top * y), 2, at - 2);
  }
  ["--line", "--second"].forEach((color, i) => {
    c.strokeStyle = css.getPropertyValue(color); c.lineWidth = 1.5; c.beginPath();
    data.forEach((row, t) => {
      if (row[i] === undefined) return;
      const x = w - (data.length - 1 - t) * w / seconds, y = h - 4 - row[i] / top * (h - 20);
      t ? c.lineTo(x, y) : c.moveTo(x, y);
    });
    c.stroke();
  });
}
function add(name, row) {
  series[name].push(row);
  if (series[name].length > seconds + 1) series[name].shift();
  plot(name);
}
async function tick() {
  const state = document.getElementById("state");
  try {
    const now = await (await fetch("status.json", { cache: "no-store" })).json(), at = performance.now();
    const rate = k => last ? Math.max(0, (now[k] - last[k]) * 1000 / (at - lastAt)) : 0;
    add("clients", [now.sessions_connected, now.sessions]);
    add("messages", [rate("messages_received"), rate("messages_sent")]);
    add("bytes", [rate("bytes_received"), rate("bytes_sent")]);
    add("queued", [now.queued]);
    last = now; lastAt = at;
    const table = document.getElementById("values");
    table.replaceChildren(...Object.entries(now).map(([k, v]) => {
      const row = document.createElement("tr");
      for (const text of [k.replaceAll("_", " "), v.toLocaleString()]) row.appendChild(document.createElement("td")).textContent = text;
      return row;
    }));
    state.textContent = "live";
  } catch { state.textContent = "not reachable"; }
  setTimeout(tick, 1000);
}
tick();
</script>
</html>
)html";

}  // namespace martlet::broker_impl
