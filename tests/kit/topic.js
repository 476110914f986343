// A compacted topic and its streams as PROTOCOL.md has them, in a few lines: what a client sees of a pool.
import http from "node:http";
import { once } from "node:events";

import { STREAM, event, keepalive, remove } from "./server.js";

export class Topic {
  #records = new Map(); // key -> { offset, value }, value null: deleted
  #next = 0;
  #streams = new Set();
  #handles = new Map(); // handle -> what it selects
  #server;
  opened = 0;
  resets = 0;

  async start() {
    this.#server = http.createServer((request, response) => this.#answer(request, response));
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${this.#server.address().port}/events`;
    return this;
  }

  stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get open() {
    return this.#streams.size;
  }

  // All streams break; what handles stood for may be forgotten, too.
  restart(forgets) {
    if (forgets) this.#handles.clear();
    for (const stream of [...this.#streams]) stream.response.destroy();
  }

  put(key, value) {
    const record = { offset: this.#next++, value };
    this.#records.set(key, record);
    for (const stream of this.#streams) if (passes(stream.keys, key)) this.#send(stream, key, record);
  }

  // What a table of these keys has to hold.
  rows(keys) {
    const rows = [...this.#records].filter(([key, { value }]) => value !== null && passes(keys, key));
    return new Map(rows.map(([key, { value }]) => [key, value]));
  }

  beat() {
    for (const stream of this.#streams) stream.response.write(keepalive(this.#id(stream, this.#next)));
  }

  #id(stream, next) {
    return `${next}~${tag(stream.keys)}`;
  }

  #send(stream, key, { offset, value }, next = this.#next) {
    const text = value === null ? remove(offset, key) : event(offset, key, value);
    stream.response.write(text.replace(/^id:.*/, `id:${this.#id(stream, next)}`));
  }

  async #answer(request, response) {
    const { searchParams } = new URL(request.url, "http://topic");
    const handle = searchParams.get("stream");
    let body = "";
    for await (const chunk of request) body += chunk;
    if (request.method === "POST") return this.#select(handle, keysOf(new URLSearchParams(body)), response);
    const id = request.headers["last-event-id"];
    const keys = (id && this.#handles.get(handle)) ?? keysOf(searchParams);
    const stream = { response, keys, handle };
    this.opened++;
    response.writeHead(200, STREAM);
    response.write("retry:100\n:\n");
    for (const other of this.#streams) if (other.handle === handle) other.response.end("retry:86400000\n\n");
    this.#handles.set(handle, keys);
    this.#streams.add(stream);
    response.on("close", () => this.#streams.delete(stream));
    this.#replay(stream, id);
  }

  #replay(stream, id) {
    const [next, known] = id?.split("~") ?? [0, tag(stream.keys)];
    const isKnown = known === tag(stream.keys);
    if (!isKnown) {
      this.resets++;
      stream.response.write(`id:${this.#id(stream, 0)}\nevent:reset\ndata:{"reason":"selection"}\n\n`);
    }
    const records = [...this.#records].sort(([, a], [, b]) => a.offset - b.offset);
    for (const [key, record] of records) {
      const isMissed = id && isKnown ? record.offset >= Number(next) : record.value !== null;
      if (isMissed && passes(stream.keys, key)) this.#send(stream, key, record, record.offset + 1);
    }
    stream.response.write(keepalive(this.#id(stream, this.#next)));
  }

  #select(handle, keys, response) {
    const before = this.#handles.get(handle);
    if (before === undefined) return response.writeHead(404).end();
    this.#handles.set(handle, keys);
    for (const stream of this.#streams) {
      if (stream.handle !== handle) continue;
      stream.keys = keys;
      for (const [key, record] of this.#records) {
        const [did, does] = [passes(before, key), passes(keys, key)];
        if (did && !does && record.value !== null) this.#send(stream, key, { ...record, value: null });
        if (does && !did && record.value !== null) this.#send(stream, key, record);
      }
    }
    response.writeHead(204).end();
  }
}

const tag = (keys) => (keys ? [...keys].sort().join(".") : "");
const passes = (keys, key) => !keys || keys.has(key);
const keysOf = (query) => (query.has("key") ? new Set(query.getAll("key")) : null);
