// The live table: a page built on fanout.js.  It starts by itself, with what its URL says behind #, as
// #/events?key=a&key=b, or with /events.

import { demoKey, mintToken } from "./demo-token.js";
import { Fanout } from "./fanout.js";
import { Rate, fillRow, isFound, keysFound, messageElement, rowElement } from "./show.js";

const ROWS_SHOWN = 500;
const MESSAGES_SHOWN = 100;
const LEAST_RENDER_MS = 100;

const id = (name) => document.getElementById(name);

// What states mean, for people.
const WORDS = {
  unreachable: "the server cannot be reached",
  timeout: "the server does not answer",
  lost: "the connection was lost",
  ended: "the server has ended the stream",
  busy: "the server takes no more streams now",
  type: "what is there is no event stream",
  token: "no access token could be had",
  reload: "as before this page was loaded again",
  closed: "press Go",
  redirect: "the server sends elsewhere, maybe to log in",
  protocol: "what comes are no events of sse-kafka-fanout 0.2 or later",
  waiting: "a request waits for a free connection: too many streams are open in this browser",
  refused: "the new access token was refused",
  unrenewed: "the access token could not be renewed yet",
  ending: "the access token ends soon",
};

let fanout = null;
let opened = ""; // where, and whether it is shared
let paused = false;
let changes = 0; // while paused
let rate = new Rate();
let lostAt = null; // since when what is shown may be old
let demo = null;

const rows = new Map(); // key -> its table row
const times = new Map(); // key -> Kafka's time
let dirty = new Set(); // keys whose rows are not what they should be
let waiting = []; // newest events that are to be shown
let renderTimer = 0;

// The path, and the keys that are wanted (none: all), of "/events?key=a".
function readHash() {
  const [path, query] = location.hash.slice(1).split("?");
  const keys = new URLSearchParams(query).getAll("key");
  if (path) id("location").value = path;
  if (path) id("wanted").value = keys.join(", ");
}

function selection() {
  const keys = id("wanted").value.split(",").map((key) => key.trim()).filter(Boolean);
  return keys.length ? { key: keys } : undefined;
}

function writeHash() {
  const query = String(new URLSearchParams(selection()?.key.map((key) => ["key", key])));
  history.replaceState(null, "", `#${id("location").value}${query && `?${query}`}`);
}

// Null, with a word beside the field, for what is not on this server: the page may read nothing else.
function target() {
  const field = id("location");
  const url = URL.canParse(field.value, location.href) ? new URL(field.value, location.href) : null;
  const isOurs = url?.origin === location.origin;
  field.setCustomValidity(isOurs ? "" : `A path on ${location.origin}, such as /events`);
  return field.reportValidity() ? url : null;
}

function start() {
  const url = target();
  if (!url) return;
  const before = fanout;
  fanout = null;
  before?.close();
  clear();
  writeHash();
  const token = demo ? async () => (await mintToken()).text : undefined;
  const options = { select: selection(), shared: id("shared").checked, token };
  const ours = (show) => (what) => fanout === next && show(what);
  const next = (fanout = new Fanout(url, options));
  opened = `${url} ${options.shared}`;
  next.on("state", ours(showState));
  next.on("event", ours(showEvent));
  next.on("change", ours(onChange));
}

// Other keys alone are told to the stream that is open.
function go() {
  const url = target();
  const isOpen = fanout && fanout.state.state !== "closed";
  if (!url || !isOpen || opened !== `${url} ${id("shared").checked}`) return start();
  writeHash();
  fanout.select(selection());
}

function clear() {
  id("messages").replaceChildren();
  [rate, lostAt, changes, waiting] = [new Rate(), null, 0, []];
  clearRows();
}

function clearRows() {
  for (const row of rows.values()) row.remove();
  rows.clear();
  times.clear();
  dirty.clear();
  schedule();
}

function showState({ state, why, note, status, detail, live, leader, tabs, retryInMs }) {
  id("state").dataset.state = state;
  id("state-name").textContent = state;
  const words = [WORDS[note ?? why], why === "type" ? "" : detail];
  if (why === "status" && !detail) words.push(`the server says ${status}`);
  if (state === "open") lostAt = null;
  else if (state === "retrying") lostAt ??= new Date();
  if (state === "retrying") words.push(`since ${lostAt.toLocaleTimeString()}`);
  if (retryInMs !== undefined) words.push(`again in ${Math.ceil(retryInMs / 1000)} s`);
  if (state === "open" && !live) words.push("reading what is there");
  id("state-detail").textContent = words.filter(Boolean).join(", ");
  id("stop").disabled = state === "closed";
  const shared = `${tabs} tabs share a stream, ${leader ? "this" : "another"} one has it`;
  id("tabs").textContent = state === "closed" ? "" : tabs > 1 ? shared : "this tab alone";
}

function showEvent(event) {
  rate.add(event.replayed);
  if (!event.replayed && event.timestamp) {
    const lag = duration(Date.now() - event.timestamp);
    id("lag").textContent = `the last one came ${lag} after it was produced`;
  }
  if (paused) return;
  waiting.push(event);
  if (waiting.length > MESSAGES_SHOWN) waiting.shift();
  schedule();
}

function duration(ms) {
  if (ms < 100000) return `${(Math.max(ms, 0) / 1000).toFixed(2)} s`;
  return ms < 7200000 ? `${Math.round(ms / 60000)} min` : `${Math.round(ms / 3600000)} h`;
}

function onChange({ key, timestamp, deleted, reset }) {
  changes++;
  if (reset) return clearRows();
  if (deleted) times.delete(key);
  else times.set(key, timestamp);
  dirty.add(key);
  schedule();
}

// Not more often than the page can bear.
function schedule() {
  if (paused || renderTimer) return;
  const begin = () => {
    const began = performance.now();
    render();
    const ms = Math.max(LEAST_RENDER_MS, 5 * (performance.now() - began));
    renderTimer = setTimeout(() => {
      renderTimer = 0;
      if (dirty.size || waiting.length) schedule();
    }, ms);
  };
  renderTimer = setTimeout(begin, 0);
}

// A row stays where it is while its value changes: the order is that of the keys.
function render() {
  const list = id("messages");
  for (const event of waiting) list.prepend(messageElement(event));
  while (list.childElementCount > MESSAGES_SHOWN) list.lastChild.remove();
  waiting = [];
  const { table } = fanout;
  const sought = id("search").value.toLowerCase();
  const found = [...table].filter(([key, value]) => isFound(sought, key, value)).map(([key]) => key).sort();
  const shown = found.slice(0, ROWS_SHOWN);
  const isShown = new Set(shown);
  for (const [key, row] of rows) {
    if (isShown.has(key)) continue;
    row.remove();
    rows.delete(key);
  }
  const body = id("keys");
  shown.forEach((key, at) => {
    const isNew = !rows.has(key);
    if (isNew) rows.set(key, rowElement(key));
    const row = rows.get(key);
    if (isNew || dirty.has(key)) fillRow(row, table.get(key), times.get(key));
    if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null);
  });
  dirty = new Set();
  const which = found.length > ROWS_SHOWN ? `the first ${ROWS_SHOWN} of them in order` : "in order";
  id("shown").textContent = `${keysFound(sought, found.length, table.size)}, ${which}`;
  id("empty").textContent = sought && table.size ? "nothing is found" : "no messages yet";
}

function count() {
  id("count").textContent = String(rate);
  if (paused) id("pause").textContent = changes ? `Go on (${changes} changes)` : "Go on";
}

id("connect").addEventListener("submit", (submit) => {
  submit.preventDefault();
  go();
});
id("location").addEventListener("input", () => {
  id("location").setCustomValidity("");
  if (id("stop").disabled) showState({ state: "closed", why: "closed" }); // what is said there is of another path
});
id("shared").addEventListener("change", go);
id("stop").addEventListener("click", () => fanout?.close());
id("search").addEventListener("input", () => fanout && render());
id("pause").addEventListener("click", () => {
  paused = !paused;
  changes = 0;
  id("pause").ariaPressed = String(paused);
  id("pause").textContent = paused ? "Go on" : "Pause";
  if (!paused) schedule();
});
addEventListener("hashchange", () => {
  readHash();
  go();
});
setInterval(count, 1000);

readHash();
demo = await demoKey().catch(() => null);
for (const e of document.querySelectorAll(".demo")) e.hidden = !demo;
start();
