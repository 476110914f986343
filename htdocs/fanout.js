// The client of sse-kafka-fanout; fanout.d.ts says what each option, event and state means.

import { narrowing } from "./fanout-events.js";
import { Stream } from "./fanout-stream.js";

const MAX_QUEUED = 10000; // events for an iterator that is not asked

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

// A key that has moved to another partition is deleted in the former one later.
function keep(all, item) {
  const { type, key, partition } = item;
  if (type === "reset") all.clear();
  else if (type === "message" && key !== undefined) all.set(key, item);
  else if (type === "delete" && all.get(key)?.partition === partition) all.delete(key);
}

export class Fanout {
  table = new Map();
  version = 0;
  state = { state: "connecting" };
  #options;
  #keys;
  #rest;
  #place; // outlives its streams: what they are of, where they are, and `all`: the newest item of each key
  #stream; // our own one, or that of several tabs
  #listeners = { event: new Set(), change: new Set(), table: new Set(), state: new Set() };
  #page = new AbortController();

  constructor(url, options = {}) {
    this.#options = { ...options, url: new URL(url, globalThis.location?.href) };
    this.#narrow(options.select);
    this.#watchPage();
    this.#start();
  }

  on(name, listener) {
    this.#listeners[name].add(listener);
    return () => this.#listeners[name].delete(listener);
  }

  select(selection) {
    if (this.#isClosed) return;
    const before = `${this.#rest}`;
    this.#narrow(selection);
    if (`${this.#rest}` !== before) {
      this.#start();
      return this.#show([{ type: "reset", reason: "select" }]);
    }
    const gone = [...this.table.keys()].filter((key) => !this.#wants({ key }));
    this.#show(gone.map((key) => ({ type: "delete", key })), true);
    this.#show([...this.#place.all.values()].filter(({ key }) => !this.table.has(key)));
    this.#stream?.select(this.#keys);
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

  #wants({ type, key }) {
    return !this.#keys || this.#keys.has(key) || type === "reset" || type === "gap";
  }

  get #isClosed() {
    return this.state.state === "closed";
  }

  async #start() {
    this.#leave();
    const place = (this.#place = { ...this.#options, rest: this.#rest, at: {}, all: new Map() });
    const { shared = true } = place;
    const canShare = shared && globalThis.navigator?.locks && globalThis.BroadcastChannel;
    // A page that cannot load it has a stream of its own.
    const tabs = canShare ? await import("./fanout-tabs.js").catch(() => {}) : undefined;
    place.Stream = (await tabs?.kindFor(place)) ?? Stream;
    if (place === this.#place) this.#join();
  }

  #join() {
    const { Stream } = this.#place;
    if (!Stream || this.#isClosed) return;
    const on = { items: (items) => this.#show(items), state: (state) => this.#tell(state) };
    this.#stream ??= new Stream(this.#place, this.#keys, on);
  }

  #leave() {
    this.#stream?.stop();
    this.#stream = undefined;
  }

  #watchPage() {
    const hooks = {
      online: () => this.#stream?.look(true),
      visibilitychange: () => document.hidden || this.#stream?.look(false),
      freeze: () => this.#leave(),
      pagehide: () => this.#leave(),
      resume: () => this.#join(),
      pageshow: () => this.#join(),
    };
    // Captured, those of the document come by, too.
    const how = { capture: true, signal: this.#page.signal };
    for (const [name, hook] of Object.entries(hooks)) globalThis.addEventListener?.(name, hook, how);
  }

  #tell(state) {
    if (this.#isClosed) return;
    this.state = state;
    if (this.#isClosed) {
      this.#page.abort();
      this.#leave();
    }
    this.#emit("state", state);
  }

  // isOurs: not the server's word, but what select() leaves out.
  #show(items, isOurs) {
    const place = this.#place;
    const before = this.version;
    for (const item of items) {
      if (this.#isClosed || place !== this.#place) return;
      if (!isOurs) keep(place.all, item);
      if (isOurs || this.#wants(item)) this.#change(new FanoutEvent(item, this.table.get(item.key)));
    }
    if (this.version > before) this.#emit("table", this.table);
  }

  #change(event) {
    const { type, key, value } = event;
    let isChange = event.reset;
    if (event.reset) this.table.clear();
    else if (event.deleted) isChange = this.table.delete(key);
    else if (type === "message" && key !== undefined) isChange = this.table.set(key, value);
    this.#emit("event", event);
    if (!isChange) return;
    this.version++;
    this.#emit("change", event);
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
