// A live table of a Kafka topic, in browsers and in Node: the client of sse-kafka-fanout.
//
// fanout.d.ts says what each option, event and state means.

import { bytesOf, narrowing } from "./fanout-events.js";
import { Feed } from "./fanout-stream.js";

const MAX_QUEUED = 10000; // events for an iterator that is not asked

// Whom a token speaks for, whatever its times: tabs of others must not share its stream.
function claimsOf(token) {
  const { exp, iat, nbf, jti, ...claims } = JSON.parse(new TextDecoder().decode(bytesOf(token.split(".")[1])));
  return claims;
}

class FanoutEvent {
  constructor(item, old) {
    Object.assign(this, item, { old, deleted: item.type === "delete", reset: item.type === "reset" });
  }

  get json() {
    try {
      return JSON.parse(this.value.buffer ? new TextDecoder().decode(this.value) : this.value);
    } catch {} // undefined
  }
}

export class Fanout {
  table = new Map();
  version = 0;
  state = { state: "connecting" };
  #url;
  #options;
  #keys;
  #rest;
  #feed = null;
  #group = 0; // tabs that do not fit into one have another
  #starts = 0;
  #listeners = { event: new Set(), change: new Set(), table: new Set(), state: new Set() };
  #page = new AbortController();

  constructor(url, options = {}) {
    this.#url = new URL(url, globalThis.location?.href);
    this.#options = options;
    this.#narrow(options.select);
    this.#watchPage();
    queueMicrotask(() => this.#start());
  }

  on(name, listener) {
    this.#listeners[name].add(listener);
    return () => this.#listeners[name].delete(listener);
  }

  select(selection) {
    if (this.state.state === "closed") return;
    const before = String(this.#rest);
    this.#narrow(selection);
    if (this.#group || String(this.#rest) !== before) return this.#start();
    const gone = [...this.table.keys()].filter((key) => !this.#wants(key));
    this.#show(gone.map((key) => ({ type: "delete", key })), true);
    this.#show([...(this.#feed?.all.values() ?? [])].filter(({ key }) => !this.table.has(key)));
    this.#feed?.want(this.#keys);
  }

  close() {
    this.#tell({ state: "closed", why: "closed" });
  }

  async *[Symbol.asyncIterator]() {
    let queue = [];
    let wake;
    const offs = [
      this.on("state", () => wake?.()),
      this.on("event", (event) => {
        if (queue.length >= MAX_QUEUED) queue = [new FanoutEvent({ type: "gap", reason: "slow" })];
        queue.push(event);
        wake?.();
      }),
    ];
    try {
      for (;;) {
        while (queue.length) yield* queue.splice(0);
        const { state, why } = this.state;
        if (why === "closed") return;
        if (state === "closed") throw Object.assign(new Error(why), this.state);
        await new Promise((resolve) => (wake = resolve));
      }
    } finally {
      for (const off of offs) off();
    }
  }

  #narrow(selection) {
    ({ keys: this.#keys, rest: this.#rest } = narrowing(selection, this.#options.bytes));
  }

  #wants(key) {
    return !this.#keys || this.#keys.has(key);
  }

  // With another feed, if there was one.
  async #start(group = 0) {
    const nth = ++this.#starts;
    this.#group = group;
    this.#feed?.leave();
    if (this.#feed) this.#show([{ type: "reset", reason: "select" }]);
    const { token, fetch = globalThis.fetch.bind(globalThis), bytes = false, shared = true, keepAliveMs } = this.#options;
    const of = { url: this.#url, rest: this.#rest, token, fetch, bytes, keepAliveMs };
    let who = globalThis.navigator?.locks && globalThis.BroadcastChannel && shared;
    if (who === true && token) {
      try {
        of.firstToken = await token();
        who = claimsOf(of.firstToken);
      } catch {
        who = false;
      }
    }
    of.name = `fanout ${this.#url} ${JSON.stringify([this.#rest, bytes, who, group])}`;
    // A page that cannot load it has a stream of its own.
    const { Tabs } = (who && (await import("./fanout-tabs.js").catch(() => null))) || {};
    if (this.state.state === "closed" || nth !== this.#starts) return;
    const ours = (f) => (what) => this.#feed === feed && f(what);
    const on = {
      items: ours((items) => this.#show(items)),
      state: ours((state) => this.#tell(state)),
      full: ours(() => this.#start(group + 1)),
    };
    const feed = (this.#feed = new (Tabs ?? Feed)(of, this.#keys, on));
    feed.join();
  }

  #watchPage() {
    const on = (target, name, hook) =>
      target?.addEventListener?.(name, () => this.#feed && hook(this.#feed), { signal: this.#page.signal });
    const { document } = globalThis;
    on(globalThis, "online", (feed) => feed.look(true));
    on(document, "visibilitychange", (feed) => document.hidden || feed.look(false));
    on(document, "freeze", (feed) => feed.leave());
    on(document, "resume", (feed) => feed.join());
    on(globalThis, "pagehide", (feed) => feed.leave());
    on(globalThis, "pageshow", (feed) => feed.join());
  }

  #tell(state) {
    if (this.state.state === "closed") return;
    this.state = state;
    if (state.state === "closed") {
      this.#page.abort();
      this.#feed?.leave();
    }
    this.#emit("state", state);
  }

  // isOurs: not the server's word, but what select() leaves out.
  #show(items, isOurs) {
    const before = this.version;
    for (const item of items) {
      if (this.state.state === "closed") return;
      const { key, type, value } = item;
      const isRecord = type === "message" || type === "delete";
      if (isRecord && !isOurs && !this.#wants(key)) continue;
      const event = new FanoutEvent(item, this.table.get(key));
      let isChange = event.reset;
      if (event.reset) this.table.clear();
      else if (event.deleted) isChange = this.table.delete(key);
      else if (isRecord && key !== undefined) isChange = this.table.set(key, value);
      this.#emit("event", event);
      if (!isChange) continue;
      this.version++;
      this.#emit("change", event);
    }
    if (this.version > before) this.#emit("table", this.table);
  }

  #emit(name, what) {
    for (const listener of this.#listeners[name]) {
      try {
        listener(what);
      } catch (error) {
        (globalThis.reportError ?? console.error)(error);
      }
    }
  }
}
