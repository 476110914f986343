// The page: attaches an EventSource to a location and shows what comes.  With a location behind # in its URL, as
// #/events, it does so by itself.
//
//   Stream   one open location: keeps it open, also where EventSource gives up or a token ends
//   place    one of the few streams that a browser can have of a server
//   view     what is on the screen
//
// At the end they are put together.  demo-token.js makes the access tokens.

import { demoKey, mintToken } from "./demo-token.js";
import { itemOf } from "./fanout-events.js";
import { Rate, fillRow, isFound, keysFound, messageElement, rowElement } from "./show.js";

const MESSAGES_SHOWN = 200;
const KEYS_SHOWN = 1000;

const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 30000;

// A renewal that is not answered for so long waits: a browser has few connections to one server, and
// each open stream takes one.
const RENEWAL_SLOW_MS = 2000;

// Everything the responders send of the topic; `message` is an event without a name.
const EVENTS = ["message", "delete", "reset", "gap"];

// A browser has six connections to a server, each good for one stream; or one of HTTP/2, good for as many as the
// server allows, which are eight here.  All tabs together leave one free: for renewals, and for tabs that come.
const PLACES = performance.getEntriesByType("navigation")[0]?.nextHopProtocol === "h2" ? 7 : 5;
const PLACE_SLOW_MS = 300;

// Keeps one location attached until close().
//
// EventSource reconnects by itself when a connection breaks, but gives up for good on any answer but
// 200, such as a 503 while responders are started again.  A stream that was open before is then made
// anew, with the last event id in the query, since a new EventSource knows none.  One that never
// opened stays closed: its location is wrong, or nobody may read it.
//
// EventSource can send no header, so an access token goes into the query.  Some time before it ends the
// server sends `challenge`, which is answered with a new token.  The URL keeps the first one all the
// same: when that is over, the browser's reconnecting is refused, and the stream is made anew.
class Stream {
  #url;
  #tokens;
  #on;
  #source = null;
  #token = null; // the one in the URL of #source, if we made it
  #timer = 0;
  #retryMs = RETRY_FIRST_MS;
  #endsAt = 0; // of the stream, unless it is renewed
  #opened = false;
  #closed = false;
  #live = false; // the replay is over
  #lostAt = null;
  #heardAt = 0;
  #intervalMs = Infinity; // of keep-alives, once it was seen
  #watch = 0;
  #lastEventId = "";
  #leaving = null; // aborted when our place is another's

  // tokens.make(url): a promise of { text, expiresAt }, or of null if it goes without one of ours;
  // tokens.renew(): whether another one is to follow the first; on.state(name, detail), on.item(item): see itemOf()
  constructor(url, tokens, on) {
    this.#url = url;
    this.#tokens = tokens;
    this.#on = on;
    this.start();
  }

  // Again, where pause() was before.
  async start() {
    const { signal } = (this.#leaving = new AbortController());
    const sayWhy = () => signal.aborted || this.#on.state("connecting", WAITING);
    const slow = setTimeout(sayWhy, PLACE_SLOW_MS);
    await place(signal);
    clearTimeout(slow);
    if (!signal.aborted) this.#attach("connecting");
  }

  pause() {
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#leaving.abort();
    this.#source?.close();
  }

  close(reason = "stopped") {
    this.pause();
    this.#closed = true;
    console.log("closed", reason);
    this.#on.state("closed", reason);
  }

  async #attach(state) {
    const { signal } = this.#leaving;
    this.#on.state(state, this.#name());
    const url = new URL(this.#url);
    url.searchParams.set("data", "envelope"); // keys and times besides the values
    url.searchParams.set("keepalive", "event"); // the first one ends the replay
    if (this.#lastEventId) url.searchParams.set("lastEventId", this.#lastEventId);
    try {
      this.#token = await this.#tokens.make(url);
    } catch (error) {
      console.log("error", "no token", error.message);
      if (!signal.aborted) this.#giveUp(reasonOf(error, "no token"));
      return;
    }
    if (signal.aborted) return;
    this.#endsAt = this.#token?.expiresAt ?? 0;
    if (this.#token) url.searchParams.set("access_token", this.#token.text);
    this.#open(url);
  }

  #open(url) {
    const source = new EventSource(url);
    source.onopen = () => this.#onOpen();
    source.onerror = () => this.#onError();
    for (const name of EVENTS) source.addEventListener(name, (event) => this.#onEvent(event));
    source.addEventListener("keepalive", () => this.#onKeepalive());
    source.addEventListener("challenge", (event) => this.#onChallenge(event));
    this.#source = source;
    clearInterval(this.#watch);
    this.#watch = setInterval(() => this.#giveUpIfSilent(), 1000);
  }

  // Without the query, which may hold a token.
  #name() {
    return this.#url.origin + this.#url.pathname;
  }

  #onOpen() {
    console.log("open", this.#name());
    this.#opened = true;
    this.#live = false;
    this.#lostAt = null;
    this.#hear();
    this.#retryMs = RETRY_FIRST_MS;
    this.#on.state("open", `${this.#name()}, reading what is there`);
  }

  #onKeepalive() {
    const silentMs = this.#hear();
    if (this.#live && silentMs > 1000) this.#intervalMs = silentMs;
    if (!this.#live) this.#on.state("open", this.#name());
    this.#live = true;
  }

  #hear() {
    const before = this.#heardAt;
    this.#heardAt = performance.now();
    return this.#heardAt - before;
  }

  // Of a network that swallows everything a browser may hear for many minutes that all is well.
  #giveUpIfSilent() {
    const isOpen = this.#source.readyState === EventSource.OPEN;
    if (isOpen && performance.now() - this.#heardAt > 2.5 * this.#intervalMs) this.#giveUp("nothing is heard");
  }

  #onEvent(event) {
    console.log(event.type, event.lastEventId, event.data);
    this.#hear();
    this.#lastEventId = event.lastEventId;
    this.#on.item({ ...itemOf(event.type, event.data), replayed: !this.#live });
  }

  #onError() {
    const refused = this.#source.readyState === EventSource.CLOSED;
    console.log("error", refused ? "refused" : "connection lost");
    if (this.#tokenIsOver()) this.#giveUp(refused ? "its token is over" : "connection lost");
    else if (refused) this.#giveUp(this.#opened ? "refused by the server" : REFUSED);
    else this.#sayRetrying("connection lost");
  }

  // From when on what is shown may be old.
  #sayRetrying(why, when = "") {
    this.#lostAt ??= new Date();
    this.#on.state("retrying", `${why}, since ${this.#lostAt.toLocaleTimeString()}${when}`);
  }

  #tokenIsOver() {
    return this.#token !== null && Date.now() >= this.#token.expiresAt;
  }

  // This EventSource is of no use any more: on with another one, or not at all.
  #giveUp(why) {
    this.#source?.close();
    if (!this.#opened) this.close(why);
    else if (this.#token && !this.#tokens.renew()) this.close(`${why}; Reauthorize is off`);
    else if (this.#url.searchParams.has("access_token")) this.close(`${why}; the location has its own token`);
    else this.#attachLater(why);
  }

  // Not all clients of a server that comes back should do so in the same moment.
  #attachLater(why) {
    const ms = Math.round(this.#retryMs * (0.5 + Math.random()));
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
    this.#timer = setTimeout(() => this.#attach("retrying"), ms);
    this.#sayRetrying(why, `, again in ${Math.ceil(ms / 1000)} s`);
  }

  async #onChallenge(event) {
    const source = event.target;
    console.log("challenge", event.data);
    const slow = setTimeout(() => this.#sayOf(source, "its renewal waits for a free connection"), RENEWAL_SLOW_MS);
    const outcome = await this.#answer(source.url, event.data).catch((error) => reasonOf(error, "not renewed"));
    clearTimeout(slow);
    console.log("reauthorize", outcome);
    this.#sayOf(source, outcome);
  }

  #sayOf(source, what) {
    if (source.readyState === EventSource.OPEN) this.#on.state("open", `${this.#name()}, ${what}`);
  }

  // Where the new token goes, and how, is not the challenge's to say.
  async #answer(url, challenge) {
    const type = JSON.parse(challenge).headers["content-type"];
    if (!this.#token) return "its token ends soon, and the page has no other";
    if (!this.#tokens.renew()) return "its token ends soon, and Reauthorize is off";
    const token = await this.#tokens.make(this.#url);
    const response = await this.#renew(url, {
      method: "POST",
      headers: { "content-type": type, authorization: `Bearer ${token.text}` },
      mode: "same-origin",
      credentials: "omit",
      redirect: "error",
      cache: "no-store",
    });
    if (!response.ok) return `the new token was refused: ${response.status}`;
    this.#endsAt = token.expiresAt;
    return `token renewed, good until ${new Date(token.expiresAt).toLocaleTimeString()}`;
  }

  // 429 and 503 say that it may be tried again in a moment; the stream goes on until its old token ends.
  async #renew(url, request) {
    for (;;) {
      const response = await fetch(url, request);
      const waitMs = 1000 * (Number(response.headers.get("retry-after")) || 1);
      const again = response.status === 429 || response.status === 503;
      if (!again || this.#closed || Date.now() + waitMs > this.#endsAt) return response;
      console.log("reauthorize", response.status, "again in", waitMs, "ms");
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

// fetch() rejects with a TypeError when nobody answered; its words are not for people.
function reasonOf(error, what) {
  return error instanceof TypeError ? "the server cannot be reached" : `${what}: ${error.message}`;
}

const REFUSED = "refused by the server: there is no stream at this location, or it is not for everybody";
const WAITING =
  `${PLACES} other tabs have a stream, and a browser has few connections to a server: close one of them, ` +
  "or use the live table, which shares one stream between tabs";

// Resolves when one of the places is ours, until the signal is aborted.  Where the browser has no Web Locks, as on
// http:// of another host, nobody counts.
function place(signal) {
  if (!navigator.locks) return Promise.resolve();
  return new Promise((resolve) => {
    const found = new AbortController(); // then we wait for no other
    const hold = () => {
      if (found.signal.aborted) return;
      found.abort();
      resolve();
      return new Promise((release) => signal.addEventListener("abort", release));
    };
    signal.addEventListener("abort", () => found.abort());
    for (let n = 0; n < PLACES; n++)
      navigator.locks.request(`stream ${n}`, { signal: found.signal }, hold).catch(() => {});
  });
}

const view = {
  form: document.getElementById("connect"),
  location: document.getElementById("location"),
  stop: document.getElementById("stop"),
  reauthorize: document.getElementById("reauthorize"),
  messages: document.getElementById("messages"),
  keys: document.getElementById("keys"),
  search: document.getElementById("search"),

  rate: new Rate(),
  rows: new Map(), // key -> { row, value }, the one that changed last at the end
  sorted: [], // the keys

  state(name, detail) {
    document.getElementById("state").dataset.state = name;
    document.getElementById("state-name").textContent = name;
    document.getElementById("state-detail").textContent = detail;
    this.stop.disabled = name === "closed";
  },

  showDemo() {
    for (const e of document.querySelectorAll(".demo")) e.hidden = false;
  },

  clear() {
    this.messages.replaceChildren();
    this.rate = new Rate();
    this.clearKeys();
  },

  add(item) {
    this.rate.add(item.replayed);
    this.messages.prepend(messageElement(item));
    if (this.messages.childElementCount > MESSAGES_SHOWN) this.messages.lastChild.remove();
    if (item.type === "reset") this.clearKeys(); // we are not where we thought we were: everything comes again
    else if (item.type === "delete") this.deleteKey(item.key);
    else if (item.type === "message" && item.key !== undefined) this.setKey(item);
  },

  setKey({ key, value, timestamp }) {
    const row = this.rows.get(key)?.row ?? this.newRow(key);
    fillRow(row, value, timestamp);
    row.hidden = !isFound(this.sought, key, value);
    this.rows.delete(key);
    this.rows.set(key, { row, value });
    if (this.rows.size > KEYS_SHOWN) this.deleteKey(this.rows.keys().next().value);
  },

  // In the order of the keys, so that a row stays where it is.
  newRow(key) {
    const row = rowElement(key);
    const at = this.sorted.findIndex((other) => other > key);
    this.keys.insertBefore(row, this.keys.children[at] ?? null);
    this.sorted.splice(at < 0 ? this.sorted.length : at, 0, key);
    return row;
  },

  deleteKey(key) {
    if (!this.rows.delete(key)) return;
    const at = this.sorted.indexOf(key);
    this.keys.children[at].remove();
    this.sorted.splice(at, 1);
  },

  clearKeys() {
    this.keys.replaceChildren();
    this.rows.clear();
    this.sorted = [];
  },

  get sought() {
    return this.search.value.toLowerCase();
  },

  find() {
    for (const [key, { row, value }] of this.rows) row.hidden = !isFound(this.sought, key, value);
    this.count();
  },

  count() {
    const { size } = this.rows;
    const found = this.keys.querySelectorAll("tr:not([hidden])").length;
    document.getElementById("count").textContent = `${this.rate}, ${keysFound(this.sought, found, size)}`;
    document.getElementById("empty").textContent = size ? "nothing is found" : "no keys yet";
  },
};

// Where to attach, or null with a word beside the field.  The page may only read its own origin (see
// Content-Security-Policy in lighttpd.conf); another one would look like a server that refuses.
function targetUrl() {
  const field = view.location;
  const url = URL.canParse(field.value, location.href) ? new URL(field.value, location.href) : null;
  const own = url?.origin === location.origin;
  field.setCustomValidity(own ? "" : `A path on ${location.origin}, such as /events`);
  return field.reportValidity() ? url : null;
}

const demo = demoKey().catch(() => null);
demo.then((key) => key && view.showDemo());

// For this origin only, and not where the location brings its own.
const tokens = {
  async make(url) {
    const ours = url.origin === location.origin && !url.searchParams.has("access_token");
    return ours && (await demo) ? mintToken() : null;
  },

  renew: () => view.reauthorize.checked,
};

let stream = null;

function go() {
  const url = targetUrl();
  if (!url) return;
  stream?.close();
  view.clear();
  keepLocation(url);
  stream = new Stream(url, tokens, {
    state: (name, detail) => view.state(name, detail),
    item: (item) => view.add(item),
  });
}

// So that the page goes on by itself when it is loaded again.  A token is not for the browser's history.
function keepLocation(url) {
  const kept = url.searchParams.has("access_token") ? "" : view.location.value;
  history.replaceState(null, "", `#${kept}`);
}

function goWhereUrlSays() {
  if (location.hash.length < 2) return;
  view.location.value = location.hash.slice(1);
  go();
}

view.form.addEventListener("submit", (submit) => {
  submit.preventDefault();
  go();
});
view.location.addEventListener("input", () => {
  view.location.setCustomValidity("");
  if (view.stop.disabled) view.state("closed", "press Go"); // what is said there is of another location
});
view.stop.addEventListener("click", () => stream.close());
view.search.addEventListener("input", () => view.find());

// A page that is left may be shown again as it was, or never; others want its place.
addEventListener("pagehide", () => stream?.pause());
addEventListener("pageshow", ({ persisted }) => persisted && !view.stop.disabled && stream.start());
addEventListener("hashchange", goWhereUrlSays);
setInterval(() => view.count(), 1000);
goWhereUrlSays();
