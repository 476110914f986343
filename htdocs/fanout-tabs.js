// One stream for all tabs of a browser.  fanout.js loads this where tabs may share.
//
// The tab that holds the lock of their name leads: it has the stream, and posts each batch of items with a
// number to the others.  Each tab keeps all of it, so that any can lead next, from its own id on.  Who comes
// late or has missed a number gets the leader's table, and tells its page what differs; a new leader gets
// that of a tab which is ahead.  Tokens stay where they are.

import { Feed, now, sleep } from "./fanout-stream.js";

const ELECTION_MS = 100; // so long may tabs that are ahead answer a new leader
const SILENCE_MS = 40000; // of a leader; its stream has keep-alives
const MAX_KEYS = 256; // what a stream may select, and its bytes
const MAX_BYTES = 8192;

// null: everything
const united = (all) => (all.includes(null) ? null : new Set(all.flatMap((keys) => [...keys])));

function isSameRecord(a, b) {
  const isSame = (name) => a[name] === b?.[name];
  return ["topic", "partition", "offset", "timestamp"].every(isSame) && (!!a.value.buffer || isSame("value"));
}

export class Tabs extends Feed {
  #me = crypto.randomUUID();
  #leader = "";
  #seq = 0;
  #members = new Map(); // of the leader: what each tab wants
  #tabs = 1;
  #lacking = false; // the leader's table was asked for
  #left = null; // aborted when we leave
  #channel;
  #heard = now();
  #deadline = 0; // for the answer to a ping

  join() {
    if (this.#left) return;
    this.#left = new AbortController();
    this.#leader = "";
    this.#channel = new BroadcastChannel(this.of.name);
    this.#channel.onmessage = ({ data }) => this.#onMessage(data);
    // Our own lock tells the leader that we are there, also when we end without a word.
    this.#hold(this.#lockOf(this.#me), {}, () => this.#ask(true));
    this.#hold(this.of.name, {}, () => this.#lead());
    this.#heard = now();
    const timer = setInterval(() => this.#tick(), 1000);
    this.#left.signal.addEventListener("abort", () => clearInterval(timer));
  }

  leave() {
    if (!this.#left) return;
    super.leave();
    this.#say("bye");
    this.#channel.close();
    this.#left.abort();
    this.#left = null;
  }

  want(keys) {
    this.keys = keys;
    if (this.stream) this.#unite();
    else this.#ask();
  }

  look(isOther) {
    if (this.stream) super.look(isOther);
    else this.#say("look");
  }

  #lockOf(tab) {
    return `${this.of.name} ${tab}`;
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
        this.leave();
        this.join();
      });
  }

  async #lead() {
    const { signal } = this.#left;
    const isFirst = !this.#leader && !this.#seq;
    this.#leader = this.#me;
    this.#members = new Map([[this.#me, this.keys]]);
    this.#lacking = false;
    this.#say("lead", { seq: this.#seq });
    if (!isFirst) await sleep(ELECTION_MS);
    if (signal.aborted) return;
    this.stream = this.open(this.#union());
    this.#unite();
  }

  onItems(items, live) {
    this.#say("batch", { seq: ++this.#seq, at: this.at, items, live });
    super.onItems(items, live);
  }

  // What closes this tab need not close others: their tokens may be better.
  onState(state) {
    super.onState(state);
    if (state.state !== "closed") this.#sayState();
  }

  tell() {
    const leader = this.#leads;
    if (leader) this.#tabs = this.#members.size;
    this.on.state({ state: "connecting", ...this.state, live: this.live, leader, tabs: this.#tabs });
  }

  get #leads() {
    return this.#leader === this.#me;
  }

  #fits(keys) {
    const values = [...(keys ?? []), ...this.of.rest.map(([, value]) => value)];
    return values.length <= MAX_KEYS && new TextEncoder().encode(values.join("")).length <= MAX_BYTES;
  }

  // What the stream is to bring.  Tabs for which there is no room share another one.
  #union() {
    let union = this.keys;
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
    this.#members.set(this.#me, this.keys);
    this.stream.select(this.#union());
    this.#sayState();
    this.tell();
  }

  #say(what, more) {
    if (!this.#left) return;
    this.#channel.postMessage({ what, from: this.#me, ...more });
  }

  #sayState(what = "state", more) {
    const { state, live, at } = this;
    this.#say(what, { state, live, at, seq: this.#seq, tabs: this.#members.size, ...more });
  }

  #ask(isLacking) {
    this.#lacking ||= isLacking;
    this.#say("join", { keys: this.keys, isLacking: this.#lacking });
  }

  #onMessage(message) {
    const { what, from, to } = message;
    if (to && to !== this.#me) return;
    if (from === this.#leader) this.#hear();
    if (what === "lead") this.#onLead(message);
    else if (what === "table") this.#onTable(message);
    else if (what === "full") this.on.full();
    else if (this.#leads) this.#onMember(message);
    else if (from === this.#leader) this.#onLeader(message);
  }

  #hear() {
    this.#heard = now();
    this.#deadline = 0;
  }

  #onMember({ what, from, keys, isLacking }) {
    if (what === "look") super.look(false);
    else if (what === "bye") this.#lose(from);
    else if (what === "ping") this.#sayState();
    else if (what === "join") {
      const { signal } = this.#left;
      const lost = () => signal.aborted || this.#lose(from);
      if (!this.#members.has(from)) navigator.locks.request(this.#lockOf(from), { signal }, lost).catch(() => {});
      this.#members.set(from, keys);
      if (isLacking) this.#sendTable(from);
      if (this.stream) this.#unite();
    }
  }

  #lose(tab) {
    if (this.#members.delete(tab) && this.stream) this.#unite();
  }

  #onLeader({ what, state, live, at, seq, tabs, items }) {
    const wasLive = this.live;
    if (what === "state") {
      [this.state, this.live, this.#tabs] = [state, live, tabs];
      if (seq === this.#seq) this.at = at;
    } else if (what === "batch" && seq === this.#seq + 1) {
      [this.#seq, this.at, this.live] = [seq, at, live];
      this.apply(items);
    } else if (what === "batch" && !this.#lacking) {
      this.#ask(true);
    }
    if (what === "state" || live !== wasLive) this.tell();
  }

  // Another one leads.
  #onLead({ from, seq }) {
    if (this.stream) return; // our lock was stolen, of which we hear
    this.#leader = from;
    this.#hear();
    if (seq < this.#seq) this.#sendTable(from);
    this.#lacking = seq > this.#seq;
    this.#ask();
  }

  #sendTable(to) {
    this.#sayState("table", { to, items: [...this.all.values()] });
  }

  #onTable({ from, seq, at, state, live, tabs, items }) {
    const leads = this.#leads;
    if (this.stream || (leads && seq <= this.#seq)) return;
    if (!leads) {
      [this.#leader, this.state, this.live, this.#tabs] = [from, state, live, tabs];
      this.#hear();
    }
    [this.#seq, this.at, this.#lacking] = [seq, at, false];
    const keys = new Set(items.map(({ key }) => key));
    const gone = [...this.all.values()].filter(({ key }) => !keys.has(key));
    const changed = items.filter((item) => !isSameRecord(item, this.all.get(item.key)));
    const deletes = gone.map(({ key, topic, partition }) => ({ type: "delete", key, topic, partition }));
    this.apply([...deletes, ...changed]);
    if (!leads) this.tell();
  }

  // The lock is taken from a leader that says nothing for long, and does not answer either.
  #tick() {
    if (this.#leads || now() - this.#heard < SILENCE_MS) return;
    if (!this.#deadline) {
      this.#deadline = now() + 3000 + 5000 * Math.random();
      this.#say("ping");
    } else if (now() > this.#deadline) {
      this.#hear();
      this.#hold(this.of.name, { steal: true }, () => this.#lead());
    }
  }
}
