// The streams of fanout.js.
//
//   Stream   one stream over fetch: opened, renewed, watched, and opened again where it broke off
//   Feed     what a stream brings, to one tab; fanout-tabs.js has one that tabs share

import { Parser, base64url, itemOf, keyField } from "./fanout-events.js";

const ANSWER_MS = 10000; // so long for the head of an answer
const HASTY_MS = 2000; // or so long, where the browser may use a connection that is as dead as the last one
const HASTY_TRIES = 3;
const SLOW_MS = 2000; // a POST that takes longer waits for a free connection
const MAX_RETRY_MS = 30000;
const KEEPALIVE_MS = 15000; // until the server's own interval is known

export const now = () => performance.now();
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const retryAfterMs = (response) => 1000 * (Number(response?.headers.get("retry-after")) || 0);
const isBusy = (response) => response.status === 429 || response.status === 503;
const random = () => base64url(crypto.getRandomValues(new Uint8Array(24)));

const isSame = (a, b) =>
  a === b || (!!a && !!b && a.size === b.size && [...a].every((key) => b.has(key)));

// How many tries have failed, and when the next is due: a page that is loaded again does not begin anew.
class Backoff {
  #name;
  #failures = 0;
  #due = 0;

  constructor(name) {
    this.#name = name;
    try {
      [this.#failures, this.#due] = JSON.parse(sessionStorage.getItem(name)) ?? [0, 0];
    } catch {} // Node, or forbidden
  }

  get leftMs() {
    return Math.min(this.#due - Date.now(), MAX_RETRY_MS);
  }

  next(askedMs = 0) {
    const ownMs = Math.min(1000 * 2 ** this.#failures, MAX_RETRY_MS) * (0.5 + Math.random());
    const ms = Math.max(this.#failures || !askedMs ? ownMs : 0, askedMs * (1 + Math.random() / 4));
    this.keep(this.#failures + 1, Date.now() + ms);
    return ms;
  }

  keep(...state) {
    [this.#failures, this.#due] = state;
    try {
      sessionStorage.setItem(this.#name, JSON.stringify(state));
    } catch {}
  }
}

// Keeps one stream open until stop(), or a refusal that stays one.  `at` is where it is: { id, handle, keys }.
class Stream {
  #of;
  #at;
  #on;
  #backoff;
  #want;
  #token;
  #abort;
  #open = false;
  #live = false;
  #opened = false; // at least once
  #fresh = false; // the token was fetched because another was refused
  #hasty = 0; // so many tries are
  #credentials = "same-origin"; // "omit" makes a browser take other connections
  #stopped = false;
  #posts = Promise.resolve();
  #syncing = false;
  #wake = () => {};
  #heard = now();
  #drift = Date.now() - now();
  #silenceMs;
  #timer;

  // of: { url, rest, bytes, token, firstToken, fetch, keepAliveMs }; on.items(items, live), on.state(state)
  constructor(of, at, keys, on) {
    [this.#of, this.#at, this.#want, this.#on] = [of, at, keys, on];
    this.#token = of.firstToken;
    this.#silenceMs = of.keepAliveMs ?? KEEPALIVE_MS;
    this.#backoff = new Backoff(`fanout ${of.url}`);
    if (!at.id) at.keys = keys;
    at.handle ??= random();
    this.#timer = setInterval(() => this.#tick(), 1000);
    this.#run();
  }

  stop() {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#abort?.abort({});
    this.#wake();
  }

  select(keys) {
    this.#want = keys;
    this.#sync();
  }

  // Waits no more, and trusts no connection that should have spoken, or is of another network.
  look(isOther) {
    this.#wake();
    if (isOther || now() - this.#heard > 1.2 * this.#silenceMs) this.#again("silent");
  }

  #again(why) {
    if (why === "silent") this.#hasty = HASTY_TRIES;
    this.#abort?.abort({ why, now: true });
  }

  // The wall clock goes on while a machine sleeps, the other one does not.
  #tick() {
    const drift = Date.now() - now();
    const slept = Math.abs(drift - this.#drift) > 5000;
    this.#drift = drift;
    if (slept) return this.look(true);
    if (!this.#open || now() - this.#heard < 2.5 * this.#silenceMs) return;
    this.#silenceMs *= 2; // it may be longer than we know: a keep-alive will tell
    this.#again("silent");
  }

  async #run() {
    const { leftMs } = this.#backoff;
    if (leftMs > 0) await this.#pause({ why: "reload" }, leftMs);
    while (!this.#stopped) {
      this.#tell({ state: "connecting" });
      const end = await this.#attempt().catch((error) => this.#failure(error));
      this.#abort.abort({});
      this.#open = false;
      if (this.#stopped) return;
      const { final, now: isAtOnce, retryMs, ...why } = end;
      if (final) {
        this.#tell({ state: "closed", ...why });
        this.stop();
      } else if (!isAtOnce) {
        await this.#pause(why, this.#backoff.next(retryMs));
      }
    }
  }

  async #pause(end, retryInMs) {
    this.#tell({ state: "retrying", ...end, retryInMs });
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, retryInMs);
      this.#wake = () => resolve(clearTimeout(timer));
    });
  }

  #tell(state) {
    if (!this.#stopped) this.#on.state(state);
  }

  #failure(error) {
    const { signal } = this.#abort;
    if (signal.aborted) return signal.reason;
    return error.why ? error : { why: this.#open ? "lost" : "unreachable" };
  }

  #url(fields = []) {
    const url = new URL(this.#of.url);
    for (const field of [...fields, ["stream", this.#at.handle]]) url.searchParams.append(...field);
    return url;
  }

  #fields(keys) {
    const names = keys?.size === 0 ? [""] : [...(keys ?? [])]; // no key at all would be every key
    return [...this.#of.rest, ...names.map((name) => keyField(name, this.#of.bytes))];
  }

  async #freshToken() {
    try {
      return await this.#of.token();
    } catch (error) {
      throw { why: "token", detail: String(error?.message ?? error) };
    }
  }

  #headers(token, headers) {
    return token ? { ...headers, authorization: `Bearer ${token}` } : headers;
  }

  async #attempt() {
    const abort = (this.#abort = new AbortController());
    this.#heard = now();
    if (this.#of.token) this.#token ??= await this.#freshToken();
    if (this.#stopped) return {};
    const headers = this.#headers(this.#token, { accept: "text/event-stream" });
    if (this.#at.id) headers["last-event-id"] = this.#at.id;
    const url = this.#url([["data", "envelope"], ["keepalive", "event"], ...this.#fields(this.#at.keys)]);
    const isHasty = this.#hasty-- > 0;
    if (this.#hasty === 1) this.#credentials = this.#credentials === "omit" ? "same-origin" : "omit";
    const late = setTimeout(() => abort.abort({ why: "timeout", now: isHasty }), isHasty ? HASTY_MS : ANSWER_MS);
    const { signal } = abort;
    const response = await this.#of
      .fetch(url, { headers, signal, credentials: this.#credentials, cache: "no-store", redirect: "manual" })
      .finally(() => clearTimeout(late));
    const isStream = /^text\/event-stream *(;|$)/i.test(response.headers.get("content-type"));
    if (response.status !== 200 || !isStream) return this.#refusal(response);
    return this.#read(response.body.getReader(), signal);
  }

  async #read(reader, signal) {
    const parser = new Parser();
    const decoder = new TextDecoder();
    let items, silentMs;
    let isPlaced = false;
    const onEvent = (type, data) => {
      if (type === "challenge") this.#renew(JSON.parse(data), signal);
      else if (type === "keepalive") {
        if (this.#live && silentMs > 1000) this.#silenceMs = silentMs;
        this.#live = true;
      } else items.push({ ...itemOf(type, data, this.#of.bytes), id: parser.id, replayed: !this.#live });
    };
    this.#live = false;
    this.#open = this.#opened = true;
    this.#fresh = false;
    this.#hasty = 0;
    this.#tell({ state: "open" });
    this.#sync();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      silentMs = now() - this.#heard;
      this.#heard = now();
      items = [];
      try {
        parser.push(decoder.decode(value, { stream: true }), onEvent);
      } catch (error) {
        throw { why: "protocol", detail: error.message, final: true };
      }
      if (signal.aborted) throw null;
      if (parser.id && parser.id !== this.#at.id) {
        this.#at.id = parser.id;
        this.#backoff.keep(0, 0);
        isPlaced = true;
      }
      if (isPlaced) this.#on.items(items, this.#live);
    }
    const { retryMs } = parser;
    const isReplaced = retryMs > 3600000; // another stream has taken our handle
    if (isReplaced) this.#at.handle = random();
    return { why: isPlaced ? "ended" : "busy", retryMs: isReplaced ? 0 : retryMs };
  }

  // What an answer means that is no stream, and whether it is worth another try.
  async #refusal(response) {
    if (this.#credentials === "omit") {
      this.#credentials = "same-origin"; // what is between may want its cookies
      return { now: true };
    }
    const { status } = response;
    const type = response.headers.get("content-type") ?? "";
    if (response.type === "opaqueredirect" || (status >= 300 && status < 400))
      return { why: "redirect", status, final: true };
    if (response.ok) return { why: "type", status, detail: type, final: !this.#opened };
    const { reason, detail } = (/json/.test(type) && (await response.json().catch(() => null))) || {};
    const end = { why: "status", status, reason, detail, retryMs: retryAfterMs(response) };
    if (status >= 500 || [408, 425, 429].includes(status)) return end;
    if (status === 401 || status === 403) {
      // A token that is refused may be over: another one is fetched, once.
      if (!this.#of.token || this.#fresh || reason === "origin") return { ...end, final: true };
      this.#fresh = true;
      this.#token = undefined;
      return { now: true };
    }
    if (!reason && this.#at.id && [400, 413, 414, 431].includes(status)) {
      this.#at.id = ""; // too long for what is between us: from the beginning
      this.#on.items([{ type: "reset", reason: "id_refused" }], false);
      return { now: true };
    }
    return { ...end, final: !!reason || !this.#opened };
  }

  // One after the other, for too many renewals at a time are refused.
  #post(type, body, token, signal) {
    const headers = this.#headers(token, { "content-type": type });
    const request = { method: "POST", headers, body, signal, cache: "no-store", redirect: "error" };
    request.credentials = this.#credentials; // on the stream's own connection
    const answer = this.#posts.then(async () => {
      let isSlow = false;
      const slow = setTimeout(() => this.#note((isSlow = "waiting")), SLOW_MS);
      return this.#of.fetch(this.#url(), request).finally(() => {
        clearTimeout(slow);
        if (isSlow) this.#note();
      });
    });
    this.#posts = answer.catch(() => {});
    return answer;
  }

  #note(note, detail) {
    if (this.#open) this.#tell({ state: "open", note, detail });
  }

  // Until it is done, refused twice, or its stream is over.
  async #renew(challenge, signal) {
    if (!this.#of.token) return this.#note("ending");
    for (let refusals = 0; refusals < 2 && !signal.aborted; ) {
      let response;
      try {
        const token = await this.#freshToken();
        response = await this.#post(challenge.headers["content-type"], "", token, signal);
        if (response.ok) {
          this.#token = token;
          return this.#note();
        }
        const { reason } = await response.json().catch(() => ({}));
        this.#note("refused", reason ?? String(response.status));
        if (!isBusy(response)) refusals++;
      } catch (error) {
        this.#note("unrenewed", error.detail);
      }
      await sleep(retryAfterMs(response) || 1000);
    }
  }

  // Tells the server what is wanted until it has taken that.
  async #sync() {
    if (this.#syncing) return;
    this.#syncing = true;
    while (this.#open && !isSame(this.#want, this.#at.keys)) {
      const { signal } = this.#abort;
      const keys = this.#want;
      const body = String(new URLSearchParams(this.#fields(keys)));
      const response = await this.#post("application/x-www-form-urlencoded", body, this.#token, signal)
        .catch(() => null);
      if (signal.aborted) continue;
      if (response?.status === 204) this.#at.keys = keys;
      else if (!response || isBusy(response)) await sleep(retryAfterMs(response) || 1000);
      else {
        Object.assign(this.#at, { handle: random(), keys }); // not known there: opened anew
        this.#again("select");
      }
    }
    this.#syncing = false;
  }
}

// What a stream brings, to one tab.
export class Feed {
  all = new Map(); // the newest item of each key
  at = {};
  live = false;
  stream = null;

  // of: as a Stream's, and name; on.items(items), on.state(state)
  constructor(of, keys, on) {
    Object.assign(this, { of, keys, on });
  }

  join() {
    this.stream ??= this.open(this.keys);
  }

  open(keys) {
    return new Stream(this.of, this.at, keys, {
      items: (items, live) => this.onItems(items, live),
      state: (state) => this.onState(state),
    });
  }

  leave() {
    this.stream?.stop();
    this.stream = null;
  }

  want(keys) {
    this.keys = keys;
    this.stream?.select(keys);
  }

  look(isOther) {
    this.stream?.look(isOther);
  }

  onItems(items, live) {
    const isNews = live !== this.live;
    this.live = live;
    this.apply(items);
    if (isNews) this.tell();
  }

  onState(state) {
    this.state = state;
    if (state.state !== "open") this.live = false;
    this.tell();
  }

  tell() {
    this.on.state({ ...this.state, live: this.live, leader: true, tabs: 1 });
  }

  apply(items) {
    for (const item of items) {
      const { key, type, partition } = item;
      if (type === "reset") this.all.clear();
      else if (key !== undefined && type === "message") this.all.set(key, item);
      else if (type === "delete" && this.all.get(key)?.partition === partition) this.all.delete(key);
    }
    if (items.length) this.on.items(items);
  }
}
