// The live table: a page built on fanout.js.  It starts by itself, with what its URL says behind #, as
// #/events?key=a&key=b, or with /events.

import { demoKey, mintToken } from "./demo-token.js";
import { Fanout } from "./fanout.js";
import { element, textElement } from "./show.js";

const ROWS_SHOWN = 500;
const MESSAGES_SHOWN = 100;
const RATE_S = 5; // the rate is that of so many seconds
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
let events = 0;
let arrivals = []; // when the events of the last seconds came
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
  [events, changes, arrivals, waiting] = [0, 0, [], []];
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
  if (retryInMs !== undefined) words.push(`again in ${Math.ceil(retryInMs / 1000)} s`);
  if (state === "open" && !live) words.push("reading what is there");
  id("state-detail").textContent = words.filter(Boolean).join(", ");
  id("stop").disabled = state === "closed";
  const shared = `${tabs} tabs share a stream, ${leader ? "this" : "another"} one has it`;
  id("tabs").textContent = state === "closed" ? "" : tabs > 1 ? shared : "this tab alone";
}

function showEvent(event) {
  events++;
  if (!event.replayed) {
    arrivals.push(Date.now());
    const lag = event.timestamp && duration(Date.now() - event.timestamp);
    if (lag) id("lag").textContent = `the last one came ${lag} after it was produced`;
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

function timeOf(timestamp) {
  if (timestamp === undefined) return "";
  const time = new Date(timestamp);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? time.toLocaleTimeString() : time.toLocaleDateString();
}

function addMessage({ type, key, value, timestamp, replayed, reason, topic, partition, from, to }) {
  const list = id("messages");
  const item = element("li", "", type);
  const head = element("div", "", "head");
  const time = element("time", timeOf(timestamp));
  if (timestamp !== undefined) time.dateTime = new Date(timestamp).toISOString();
  head.append(time);
  if (type !== "message") head.append(element("span", type, "kind"));
  if (replayed) head.append(element("span", "replay", "kind"));
  if (type === "message" || type === "delete") head.append(keyElement(key));
  const gap = reason ?? `${topic ?? ""} ${partition}: ${from} to ${to - 1} are lost`;
  item.append(head, textElement(type === "gap" ? gap : (value ?? reason ?? "")));
  list.prepend(item);
  if (list.childElementCount > MESSAGES_SHOWN) list.lastChild.remove();
}

function keyElement(key) {
  if (key === undefined) return element("span", "no key", "key none");
  return key === "" ? element("span", "empty key", "key none") : element("span", key, "key");
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
  for (const event of waiting) addMessage(event);
  waiting = [];
  const { table } = fanout;
  const sought = id("search").value.toLowerCase();
  const isFound = ([key, value]) => !sought || key.toLowerCase().includes(sought) || value.toLowerCase().includes(sought);
  const found = [...table].filter(isFound).map(([key]) => key).sort();
  const shown = found.slice(0, ROWS_SHOWN);
  const isShown = new Set(shown);
  for (const [key, row] of rows) {
    if (isShown.has(key)) continue;
    row.remove();
    rows.delete(key);
  }
  const body = id("keys");
  shown.forEach((key, at) => {
    if (!rows.has(key)) rows.set(key, newRow(key));
    else if (dirty.has(key)) fill(rows.get(key), key);
    if (body.children[at] !== rows.get(key)) body.insertBefore(rows.get(key), body.children[at] ?? null);
  });
  dirty = new Set();
  const of = sought ? `${found.length} of ${table.size} keys` : `${table.size} ${table.size === 1 ? "key" : "keys"}`;
  id("shown").textContent = found.length > ROWS_SHOWN ? `${of}, the first ${ROWS_SHOWN} of them in order` : `${of}, in order`;
  id("empty").textContent = sought && table.size ? "nothing is found" : "no messages yet";
}

function newRow(key) {
  const row = element("tr");
  const head = element("th");
  head.scope = "row";
  head.append(keyElement(key));
  row.append(head, element("td"), element("td", "", "when"));
  fill(row, key);
  return row;
}

function fill(row, key) {
  const value = element("td"); // a new one, so that its highlight starts again
  value.append(textElement(fanout.table.get(key)));
  row.children[1].replaceWith(value);
  row.children[2].textContent = timeOf(times.get(key));
}

function count() {
  const now = Date.now();
  arrivals = arrivals.filter((at) => now - at < 1000 * RATE_S);
  const rate = (arrivals.length / RATE_S).toFixed(1);
  id("count").textContent = events ? `${events} ${events === 1 ? "event" : "events"}, ${rate} a second` : "no events yet";
  if (paused) id("pause").textContent = changes ? `Go on (${changes} changes)` : "Go on";
}

id("connect").addEventListener("submit", (submit) => {
  submit.preventDefault();
  go();
});
id("location").addEventListener("input", () => id("location").setCustomValidity(""));
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
