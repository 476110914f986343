// One stream for all tabs of a browser.  fanout.js loads this where tabs may share.
//
// The tab that holds the lock of their name leads: it has the stream, and posts each batch of items with a
// number to the others.  Each tab keeps all of it, so that any can lead next, from its own id on.  Who comes
// late or has missed a number gets the leader's table, and tells its page what differs; a new leader gets
// that of a tab which is ahead.  Tokens stay where they are.

import { bytesOf } from "./fanout-events.js";
import { Stream, now, sleep } from "./fanout-stream.js";

const ELECTION_MS = 100; // so long may tabs that are ahead answer a new leader
const SILENCE_MS = 40000; // of a leader; its stream has keep-alives
const MAX_KEYS = 256; // what a stream may select, and its bytes
const MAX_BYTES = 8192;

// The kind of stream for this place: none of ours where it is not known whom a token speaks for.
export async function kindFor(place) {
  const { url, rest, bytes = false, token, shared = true } = place;
  let who = shared;
  if (who === true && token) {
    try {
      place.bearer = await token();
      who = claimsOf(place.bearer);
    } catch {
      return undefined;
    }
  }
  const name = `fanout ${url} ${JSON.stringify([`${rest}`, bytes, who])}`;
  Object.assign(place, { name, group: 0, seq: 0 });
  return Tabs;
}

// Whom a token speaks for, whatever its times: tabs of others must not share its stream.
function claimsOf(token) {
  const { exp, iat, nbf, jti, ...claims } = JSON.parse(new TextDecoder().decode(bytesOf(token.split(".")[1])));
  return claims;
}

// null: everything
const united = (all) => (all.includes(null) ? null : new Set(all.flatMap((keys) => [...keys])));

function isSameRecord(a, b) {
  const isSame = (name) => a[name] === b?.[name];
  return ["topic", "partition", "offset", "timestamp"].every(isSame) && (!!a.value.buffer || isSame("value"));
}

// In place of a Stream.
class Tabs {
  #place; // as a Stream's; all, name, group (tabs that do not fit into one have another), seq (of the last batch)
  #keys;
  #on;
  #me = crypto.randomUUID();
  #name;
  #leader;
  #stream; // while we lead
  #state;
  #members; // while we lead: what each tab wants
  #lacking; // the leader's table was asked for
  #left; // aborted when we leave
  #channel;
  #heard;
  #deadline = 0; // for an answer

  constructor(place, keys, on) {
    [this.#place, this.#keys, this.#on] = [place, keys, on];
    this.#join();
  }

  stop() {
    if (this.#left.signal.aborted) return;
    this.#stream?.stop();
    this.#stream = undefined;
    this.#channel.close();
    this.#left.abort();
  }

  select(keys) {
    this.#keys = keys;
    if (this.#place.group) this.#move(0);
    else if (this.#leads) this.#unite();
    else this.#ask();
  }

  look(isOther) {
    if (this.#stream) this.#stream.look(isOther);
    else this.#say("look");
  }

  #join() {
    this.#left = new AbortController();
    this.#leader = "";
    this.#lacking = false;
    this.#name = `${this.#place.name} ${this.#place.group}`;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#onMessage(data);
    // Our own lock tells the leader that we are there, also when we end without a word.
    this.#hold(this.#lockOf(this.#me), {}, () => this.#ask(true));
    this.#hold(this.#name, {}, () => this.#lead());
    this.#hear();
    const timer = setInterval(() => this.#tick(), 1000);
    this.#left.signal.addEventListener("abort", () => clearInterval(timer));
  }

  // To another group, where all comes again.
  #move(group) {
    this.stop();
    this.#state = undefined;
    Object.assign(this.#place, { group, seq: 0, at: {} });
    this.#join();
    this.#on.items([{ type: "reset", reason: "select" }]);
  }

  #lockOf(tab) {
    return `${this.#name} ${tab}`;
  }

  // Until we leave.  If a lock is stolen, because we did not answer, we begin anew.
  #hold(name, options, onHeld) {
    const { signal } = this.#left;
    navigator.locks
      .request(name, options.steal ? options : { signal }, () => {
        if (signal.aborted) return;
        onHeld();
        return new Promise((resolve) => signal.addEventListener("abort", resolve));
      })
      .catch(() => {
        if (signal.aborted) return;
        this.stop();
        this.#join();
      });
  }

  async #lead() {
    const { signal } = this.#left;
    const isFirst = !this.#leader && !this.#place.seq;
    this.#leader = this.#me;
    this.#members = new Map([[this.#me, this.#keys]]);
    this.#lacking = false;
    this.#say("lead");
    if (!isFirst) await sleep(ELECTION_MS);
    if (signal.aborted) return;
    this.#stream = new Stream(this.#place, this.#union(), {
      items: (items) => {
        this.#place.seq++;
        this.#say("news", { items });
        this.#on.items(items);
      },
      // What closes this tab need not close others: their tokens may be better.
      state: (state) => {
        this.#tell(state);
        if (state.state !== "closed") this.#say("news");
      },
    });
    this.#unite();
  }

  #tell(state = this.#state, tabs = this.#members?.size) {
    this.#state = state;
    this.#on.state({ state: "connecting", ...state, leader: this.#leads, tabs });
  }

  get #leads() {
    return this.#leader === this.#me;
  }

  #fits(keys) {
    const values = [...(keys ?? []), ...this.#place.rest.values()];
    return values.length <= MAX_KEYS && new TextEncoder().encode(values.join("")).length <= MAX_BYTES;
  }

  // What the stream is to bring.  Tabs for which there is no room share another one.
  #union() {
    let union = this.#keys;
    for (const [tab, keys] of [...this.#members]) {
      const more = united([union, keys]);
      if (tab === this.#me || this.#fits(more)) union = more;
      else {
        this.#members.delete(tab);
        this.#say("full", { to: tab });
      }
    }
    return union;
  }

  #unite() {
    if (!this.#stream) return;
    this.#members.set(this.#me, this.#keys);
    this.#stream.select(this.#union());
    this.#say("news");
    this.#tell();
  }

  // With where we are, and what is known of the stream.
  #say(what, more) {
    const { seq, at } = this.#place;
    if (this.#left.signal.aborted) return;
    const tabs = this.#members?.size;
    this.#channel.postMessage({ what, from: this.#me, seq, at, state: this.#state, tabs, ...more });
  }

  #ask(isLacking) {
    this.#lacking ||= isLacking;
    this.#say("join", { keys: this.#keys, isLacking: this.#lacking });
  }

  #onMessage(message) {
    const { what, from, to } = message;
    if (to && to !== this.#me) return;
    if (from === this.#leader) this.#hear();
    if (what === "lead") this.#onLead(message);
    else if (what === "table") this.#onTable(message);
    else if (what === "full") this.#move(this.#place.group + 1);
    else if (this.#leads) this.#onMember(message);
    else if (from === this.#leader) this.#onLeader(message);
  }

  #hear() {
    this.#heard = now();
    this.#deadline = 0;
  }

  #onMember({ what, from, keys, isLacking }) {
    if (what === "look") this.#stream?.look(false);
    else if (what === "join") {
      const { signal } = this.#left;
      const lost = () => {
        if (!signal.aborted && this.#members.delete(from)) this.#unite();
      };
      if (!this.#members.has(from)) navigator.locks.request(this.#lockOf(from), { signal }, lost).catch(() => {});
      this.#members.set(from, keys);
      if (isLacking) this.#sendTable(from);
      this.#unite();
    }
  }

  #onLeader({ seq, at, state, tabs, items }) {
    const isNext = seq === this.#place.seq + (items ? 1 : 0);
    if (isNext) Object.assign(this.#place, { seq, at });
    else if (!this.#lacking) this.#ask(true);
    if (!items) this.#tell(state, tabs);
    else if (isNext) this.#on.items(items);
  }

  // Another one leads.
  #onLead({ from, seq }) {
    if (this.#stream) return; // our lock was stolen, of which we hear
    this.#leader = from;
    this.#hear();
    if (seq < this.#place.seq) this.#sendTable(from);
    this.#lacking = seq > this.#place.seq;
    this.#ask();
  }

  #sendTable(to) {
    this.#say("table", { to, items: [...this.#place.all.values()] });
  }

  #onTable({ from, seq, at, state, tabs, items }) {
    const { all } = this.#place;
    const leads = this.#leads;
    if (this.#stream || (leads && seq <= this.#place.seq)) return;
    Object.assign(this.#place, { seq, at });
    this.#lacking = false;
    const keys = new Set(items.map(({ key }) => key));
    const gone = [...all.values()].filter(({ key }) => !keys.has(key));
    const deletes = gone.map(({ key, topic, partition }) => ({ type: "delete", key, topic, partition }));
    const changed = items.filter((item) => !isSameRecord(item, all.get(item.key)));
    this.#on.items([...deletes, ...changed]);
    if (leads) return;
    this.#leader = from;
    this.#hear();
    this.#tell(state, tabs);
  }

  // The lock is taken from a leader that says nothing for long, and does not answer either.
  #tick() {
    if (this.#leads || now() - this.#heard < SILENCE_MS) return;
    if (!this.#deadline) {
      this.#deadline = now() + 3000 + 5000 * Math.random();
      this.#ask();
    } else if (now() > this.#deadline) {
      this.#hear();
      this.#hold(this.#name, { steal: true }, () => this.#lead());
    }
  }
}
