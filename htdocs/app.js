// The page: attaches an EventSource to a location and shows what comes.
//
//   Stream   one open location: keeps it open, also where EventSource gives up or a token ends
//   parseId  the key that a last event id carries
//   view     what is on the screen
//
// At the end the three are put together.  demo-token.js makes the access tokens.

import { demoKey, mintToken } from "./demo-token.js";
import { element, shortened, textElement } from "./show.js";

const MESSAGES_SHOWN = 200;
const KEYS_SHOWN = 1000;

const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 30000;

// A renewal that is not answered for so long waits: a browser has few connections to one server, and
// each open stream takes one.
const RENEWAL_SLOW_MS = 2000;

// Everything the responders send of the topic; `message` is an event without a name.
const EVENTS = ["message", "delete", "reset", "gap"];

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
  #lastEventId = "";

  // tokens.make(url): a promise of { text, expiresAt }, or of null if it goes without one of ours;
  // tokens.renew(): whether another one is to follow the first; on.state(name, detail), on.event(event)
  constructor(url, tokens, on) {
    this.#url = url;
    this.#tokens = tokens;
    this.#on = on;
    this.#attach("connecting");
  }

  close(reason = "stopped") {
    clearTimeout(this.#timer);
    this.#closed = true;
    this.#source?.close();
    console.log("closed", reason);
    this.#on.state("closed", reason);
  }

  async #attach(state) {
    this.#on.state(state, this.#name());
    const url = new URL(this.#url);
    if (this.#lastEventId) url.searchParams.set("lastEventId", this.#lastEventId);
    try {
      this.#token = await this.#tokens.make(url);
    } catch (error) {
      console.log("error", "no token", error.message);
      if (!this.#closed) this.#giveUp(reasonOf(error, "no token"));
      return;
    }
    if (this.#closed) return;
    this.#endsAt = this.#token?.expiresAt ?? 0;
    if (this.#token) url.searchParams.set("access_token", this.#token.text);
    this.#open(url);
  }

  #open(url) {
    const source = new EventSource(url);
    source.onopen = () => this.#onOpen();
    source.onerror = () => this.#onError();
    for (const name of EVENTS) source.addEventListener(name, (event) => this.#onEvent(event));
    source.addEventListener("challenge", (event) => this.#onChallenge(event));
    this.#source = source;
  }

  // Without the query, which may hold a token.
  #name() {
    return this.#url.origin + this.#url.pathname;
  }

  #onOpen() {
    console.log("open", this.#name());
    this.#opened = true;
    this.#retryMs = RETRY_FIRST_MS;
    this.#on.state("open", this.#name());
  }

  #onEvent(event) {
    console.log(event.type, event.lastEventId, event.data);
    this.#lastEventId = event.lastEventId;
    this.#on.event(event);
  }

  #onError() {
    const refused = this.#source.readyState === EventSource.CLOSED;
    console.log("error", refused ? "refused" : "connection lost");
    if (this.#tokenIsOver()) this.#giveUp(refused ? "its token is over" : "connection lost");
    else if (refused) this.#giveUp("refused by the server");
    else this.#on.state("retrying", "connection lost");
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
    this.#on.state("retrying", `${why}, again in ${Math.ceil(ms / 1000)} s`);
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

// The key in a last event id of the form ["<base64url of the key>","<progress>"]: base64url without
// padding, null for a record without a key, undefined where the responders tell no keys.
function parseId(id) {
  try {
    const [key] = JSON.parse(id);
    return key === null ? null : unpadded(key);
  } catch {
    return undefined;
  }
}

function unpadded(base64url) {
  return base64url.replace(/=+$/, "");
}

// A key as text if it is text, else undefined: keys are bytes.
function keyText(base64url) {
  const base64 = base64url.replaceAll("-", "+").replaceAll("_", "/");
  try {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return /\p{Cc}/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

const view = {
  form: document.getElementById("connect"),
  location: document.getElementById("location"),
  stop: document.getElementById("stop"),
  reauthorize: document.getElementById("reauthorize"),
  messages: document.getElementById("messages"),
  keys: document.getElementById("keys"),

  // Key -> table row, the one that changed last at the end.
  rows: new Map(),

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
    this.clearKeys();
  },

  // A line of the list: when, of which kind, which key, and the text.
  addMessage(kind, key, text) {
    const item = element("li", "", kind);
    const head = element("div", "", "head");
    head.append(element("time", new Date().toLocaleTimeString()));
    if (kind !== "message") head.append(element("span", kind, "kind"));
    if (key !== undefined) head.append(keyElement(key));
    item.append(head, textElement(text));
    this.messages.prepend(item);
    if (this.messages.childElementCount > MESSAGES_SHOWN) this.messages.lastChild.remove();
  },

  // Whether the stream's ids carry keys.
  hasKeys(known) {
    document.getElementById("no-keys").hidden = known;
  },

  setKey(key, value) {
    const row = this.rows.get(key) ?? this.newRow(key);
    const cell = element("td"); // a new one, so that its highlight starts again
    cell.append(textElement(value));
    row.lastChild.replaceWith(cell);
    this.rows.delete(key);
    this.rows.set(key, row);
    if (this.rows.size > KEYS_SHOWN) this.deleteKey(this.rows.keys().next().value);
  },

  newRow(key) {
    const row = element("tr");
    const head = element("th");
    head.scope = "row";
    head.append(keyElement(key));
    row.append(head, element("td"));
    this.keys.append(row);
    return row;
  },

  deleteKey(key) {
    this.rows.get(key)?.remove();
    this.rows.delete(key);
  },

  clearKeys() {
    this.hasKeys(true);
    this.keys.replaceChildren();
    this.rows.clear();
  },
};

function keyElement(key) {
  if (key === null) return element("span", "no key", "key none");
  const text = keyText(key);
  if (text === "") return element("span", "empty key", "key none");
  if (text !== undefined) return element("span", shortened(text), "key");
  const e = element("span", shortened(key), "key binary");
  e.title = "not text: its bytes in base64url";
  return e;
}

const onEvent = {
  message(event) {
    const key = parseId(event.lastEventId);
    view.addMessage("message", key, event.data);
    view.hasKeys(key !== undefined);
    if (key != null) view.setKey(key, event.data);
  },

  delete(event) {
    const key = unpadded(event.data);
    view.addMessage("delete", key, "");
    view.deleteKey(key);
  },

  // We are not where we thought we were: everything comes again.
  reset(event) {
    view.addMessage("reset", undefined, event.data);
    view.clearKeys();
  },

  gap(event) {
    view.addMessage("gap", undefined, event.data);
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

view.form.addEventListener("submit", (submit) => {
  submit.preventDefault();
  const url = targetUrl();
  if (!url) return;
  stream?.close();
  view.clear();
  stream = new Stream(url, tokens, {
    state: (name, detail) => view.state(name, detail),
    event: (event) => onEvent[event.type](event),
  });
});

view.location.addEventListener("input", () => {
  view.location.setCustomValidity("");
  if (view.stop.disabled) view.state("closed", "press Go"); // what is said there is of another location
});
view.stop.addEventListener("click", () => stream.close());
