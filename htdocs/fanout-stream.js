// A stream over fetch: opened, renewed, watched, and opened again where it broke off.

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
const pauseAfter = (response) => sleep(retryAfterMs(response) || 1000);
const isBusy = (response) => response.status === 429 || response.status === 503;
const typeOf = (response) => response.headers.get("content-type") ?? "";
const problemOf = async (response) =>
  (/json/.test(typeOf(response)) && (await response.json().catch(() => null))) || {};
const randomHandle = () => base64url(crypto.getRandomValues(new Uint8Array(24)));
const isSame = (a, b) => a === b || (a && a.size === b?.size && [...a].every((key) => b.has(key)));

// For a page that is loaded again.  Node has no such memory, and a browser may forbid it.
function recall(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name));
  } catch {}
}

function remember(name, value) {
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {}
}

// Kept open until stop(), or a refusal that stays one.
export class Stream {
  #place; // { url, rest, token, fetch, bytes, keepAliveMs, bearer (the token in use), at: { id, handle, keys } }
  #at;
  #want;
  #on; // items(items), state(state)
  #memory; // what its tries are remembered by
  #failures; // in a row
  #state = {};
  #abort; // ends the present try, and its renewals
  #opened = false; // at least once
  #fresh = false; // the token was fetched because another was refused
  #hasty = 0; // so many tries are
  #bare = false; // without cookies: a browser takes another connection for that
  #stopped = false;
  #posts = Promise.resolve();
  #syncing = false;
  #wake = () => {};
  #heard = now();
  #drift = Date.now() - now();
  #silenceMs;
  #timer = setInterval(() => this.#tick(), 1000);

  constructor(place, keys, on) {
    const { url, at, keepAliveMs = KEEPALIVE_MS } = place;
    [this.#place, this.#at, this.#want, this.#on] = [place, at, keys, on];
    [this.#silenceMs, this.#memory] = [keepAliveMs, `fanout ${url}`];
    if (!at.id) at.keys = keys;
    at.handle ??= randomHandle();
    this.#run();
  }

  stop() {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#abort?.abort();
    this.#wake();
  }

  select(keys) {
    this.#want = keys;
    this.#sync();
  }

  // Waits no more, and trusts no connection that should have spoken, or is of another network.
  look(isOther) {
    this.#wake();
    if (!isOther && now() - this.#heard < 1.2 * this.#silenceMs) return;
    this.#hasty = HASTY_TRIES;
    this.#abort?.abort({ atOnce: true });
  }

  // The wall clock goes on while a machine sleeps, the other one does not.
  #tick() {
    const drift = Date.now() - now();
    const slept = Math.abs(drift - this.#drift) > 5000;
    this.#drift = drift;
    const isSilent = this.#isOpen && now() - this.#heard > 2.5 * this.#silenceMs;
    if (isSilent) this.#silenceMs *= 2; // it may be longer than we know: a keep-alive will tell
    if (slept || isSilent) this.look(true);
  }

  async #run() {
    const [failures, due] = recall(this.#memory) ?? [0, 0];
    this.#failures = failures;
    if (due > Date.now()) await this.#pause({ why: "reload" }, Math.min(due - Date.now(), MAX_RETRY_MS));
    while (!this.#stopped) {
      this.#tell({ state: "connecting" });
      const { isFinal, atOnce, retryMs, ...why } = await this.#attempt().catch((error) => this.#failure(error));
      this.#abort.abort();
      if (isFinal) {
        this.#tell({ state: "closed", ...why });
        this.stop();
      } else if (!atOnce && !this.#stopped) {
        await this.#pause(why, this.#backOff(retryMs));
      }
    }
  }

  // How long until the next try, and not less than the server asks for.
  #backOff(askedMs = 0) {
    const ownMs = Math.min(1000 * 2 ** this.#failures, MAX_RETRY_MS) * (0.5 + Math.random());
    const ms = Math.max(this.#failures || !askedMs ? ownMs : 0, askedMs * (1 + Math.random() / 4));
    this.#remember(this.#failures + 1, Date.now() + ms);
    return ms;
  }

  #remember(failures, due) {
    this.#failures = failures;
    remember(this.#memory, [failures, due]);
  }

  async #pause(why, retryInMs) {
    this.#tell({ state: "retrying", ...why, retryInMs });
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, retryInMs);
      this.#wake = () => resolve(clearTimeout(timer));
    });
  }

  #tell(state) {
    if (this.#stopped) return;
    this.#state = state;
    this.#on.state({ ...state, leader: true, tabs: 1 });
  }

  #note(note, detail) {
    if (this.#isOpen) this.#tell({ ...this.#state, note, detail });
  }

  get #isOpen() {
    return this.#state.state === "open" && !this.#abort.signal.aborted;
  }

  async #freshToken() {
    try {
      return await this.#place.token();
    } catch (error) {
      throw { why: "token", detail: String(error?.message ?? error) };
    }
  }

  #fetch(query, token, headers, request) {
    const { fetch = globalThis.fetch } = this.#place; // which wants no `this`
    const url = new URL(this.#place.url);
    for (const field of [...query, ["stream", this.#at.handle]]) url.searchParams.append(...field);
    if (token) headers.authorization = `Bearer ${token}`;
    const credentials = this.#bare ? "omit" : "same-origin";
    return fetch(url, { headers, credentials, cache: "no-store", redirect: "manual", ...request });
  }

  #fields(keys) {
    const names = keys?.size === 0 ? [""] : [...(keys ?? [])]; // no key at all would be every key
    return [...this.#place.rest, ...names.map((name) => keyField(name, this.#place.bytes))];
  }

  async #attempt() {
    const abort = (this.#abort = new AbortController());
    const { signal } = abort;
    this.#heard = now();
    if (this.#place.token) this.#place.bearer ??= await this.#freshToken();
    const headers = { accept: "text/event-stream" };
    if (this.#at.id) headers["last-event-id"] = this.#at.id;
    const query = [["data", "envelope"], ["keepalive", "event"], ...this.#fields(this.#at.keys)];
    const isHasty = this.#hasty-- > 0;
    if (this.#hasty === 1) this.#bare = !this.#bare;
    const giveUp = () => abort.abort({ why: "timeout", atOnce: isHasty });
    const late = setTimeout(giveUp, isHasty ? HASTY_MS : ANSWER_MS);
    const answer = this.#fetch(query, this.#place.bearer, headers, { signal });
    const response = await answer.finally(() => clearTimeout(late));
    const isStream = /^text\/event-stream *(;|$)/i.test(typeOf(response));
    return response.status === 200 && isStream ? this.#read(response.body, signal) : this.#refusal(response);
  }

  #failure(error) {
    const { aborted, reason } = this.#abort.signal;
    if (aborted) return reason;
    return error.why ? error : { why: this.#isOpen ? "lost" : "unreachable" };
  }

  async #read(body, signal) {
    const { bytes } = this.#place;
    const reader = body.getReader();
    const parser = new Parser();
    let isLive = false;
    this.#opened = true;
    this.#fresh = false;
    this.#hasty = 0;
    this.#tell({ state: "open" });
    this.#sync();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const silentMs = now() - this.#heard;
      this.#heard = now();
      const items = [];
      try {
        for (const { type, data, id } of parser.push(value)) {
          if (type === "challenge") this.#renew(JSON.parse(data), signal);
          else if (type !== "keepalive") items.push({ ...itemOf(type, data, bytes), id, replayed: !isLive });
          else if (!isLive) isLive = true;
          else if (silentMs > 1000) this.#silenceMs = silentMs;
        }
      } catch (error) {
        throw { why: "protocol", detail: error.message, isFinal: true };
      }
      signal.throwIfAborted();
      if (parser.id) this.#at.id = parser.id;
      if (parser.id && this.#failures) this.#remember(0, 0);
      if (items.length) this.#on.items(items);
      if (isLive && !this.#state.live) this.#tell({ ...this.#state, live: true });
    }
    const { id, retryMs } = parser;
    const isReplaced = retryMs > 3600000; // another stream has taken our handle
    if (isReplaced) this.#at.handle = randomHandle();
    return { why: id ? "ended" : "busy", retryMs: isReplaced ? 0 : retryMs };
  }

  // What an answer means that is no stream, and whether it is worth another try.
  async #refusal(response) {
    const { status, ok } = response;
    if (this.#bare) {
      this.#bare = false; // what is between may want its cookies
      return { atOnce: true };
    }
    if (ok) return { why: "type", status, detail: typeOf(response), isFinal: !this.#opened };
    if (status < 400) return { why: "redirect", status, isFinal: true };
    const { reason, detail } = await problemOf(response);
    const end = { why: "status", status, reason, detail, retryMs: retryAfterMs(response) };
    if (status >= 500 || [408, 425, 429].includes(status)) return end;
    if (status === 401 || status === 403) {
      // A token that is refused may be over: another one is fetched, once.
      if (!this.#place.token || this.#fresh || reason === "origin") return { ...end, isFinal: true };
      this.#fresh = true;
      this.#place.bearer = undefined;
      return { atOnce: true };
    }
    if (!reason && this.#at.id && [400, 413, 414, 431].includes(status)) {
      this.#at.id = ""; // too long for what is between us: from the beginning
      this.#on.items([{ type: "reset", reason: "id_refused" }]);
      return { atOnce: true };
    }
    return { ...end, isFinal: !!reason || !this.#opened };
  }

  // One after the other, for too many at a time are refused.
  #post(type, body, token, signal) {
    const answer = this.#posts.then(() => {
      const slow = setTimeout(() => this.#note("waiting"), SLOW_MS);
      return this.#fetch([], token, { "content-type": type }, { method: "POST", body, signal }).finally(() => {
        clearTimeout(slow);
        if (this.#state.note === "waiting") this.#note();
      });
    });
    this.#posts = answer.catch(() => {});
    return answer;
  }

  // Until it is done, refused twice, or its stream is over.
  async #renew({ headers }, signal) {
    if (!this.#place.token) return this.#note("ending");
    for (let refusals = 0; refusals < 2 && !signal.aborted; ) {
      let response;
      try {
        const token = await this.#freshToken();
        response = await this.#post(headers["content-type"], "", token, signal);
        if (response.ok) {
          this.#place.bearer = token;
          return this.#note();
        }
        const { reason = `${response.status}` } = await problemOf(response);
        this.#note("refused", reason);
        if (!isBusy(response)) refusals++;
      } catch ({ detail }) {
        this.#note("unrenewed", detail);
      }
      await pauseAfter(response);
    }
  }

  // Tells the server what is wanted until it has taken that.
  async #sync() {
    if (this.#syncing) return;
    this.#syncing = true;
    while (this.#isOpen && !isSame(this.#want, this.#at.keys)) {
      const { signal } = this.#abort;
      const keys = this.#want;
      const body = `${new URLSearchParams(this.#fields(keys))}`;
      const type = "application/x-www-form-urlencoded";
      const response = await this.#post(type, body, this.#place.bearer, signal).catch(() => {});
      if (signal.aborted) continue;
      if (response?.ok) this.#at.keys = keys;
      else if (!response || isBusy(response)) await pauseAfter(response);
      else {
        Object.assign(this.#at, { handle: randomHandle(), keys }); // not known there: opened anew
        this.#abort.abort({ atOnce: true });
      }
    }
    this.#syncing = false;
  }
}
