// A browser: tabs that are threads, and the locks between them.
import { once } from "node:events";
import { Worker } from "node:worker_threads";

export class Browser {
  tabs = [];
  #locks = new Map(); // name -> requests, the first one has it

  open(url, options) {
    const worker = new Worker(new URL("./tab.js", import.meta.url), { workerData: { url, options } });
    const tab = { worker, keys: options.select?.key ? new Set(options.select.key) : null };
    worker.on("message", (message) => this.#onMessage(tab, message));
    worker.on("error", (error) => this.errors.push(error));
    this.tabs.push(tab);
    return tab;
  }

  errors = [];

  // As a tab that crashes: without a word, its locks are free.
  async kill(tab) {
    this.tabs.splice(this.tabs.indexOf(tab), 1);
    await tab.worker.terminate();
    for (const [name, requests] of this.#locks) {
      const wasFirst = requests[0]?.tab === tab;
      this.#locks.set(name, requests.filter((request) => request.tab !== tab));
      if (wasFirst) this.#grant(name);
    }
  }

  async closeAll() {
    for (const tab of [...this.tabs]) await this.kill(tab);
  }

  select(tab, keys) {
    tab.keys = keys && new Set(keys);
    tab.worker.postMessage({ what: "select", keys });
  }

  async look(tab) {
    tab.worker.postMessage({ what: "look" });
    for (;;) {
      const [message] = await once(tab.worker, "message");
      if (message.what === "is") return message;
    }
  }

  #onMessage(tab, { what, name, number, steal }) {
    if (what === "is") return;
    const requests = this.#locks.get(name) ?? [];
    this.#locks.set(name, requests);
    if (what === "lock" && steal) {
      const robbed = requests.shift();
      robbed?.tab.worker.postMessage({ what: "stolen", number: robbed.number });
      requests.unshift({ tab, number });
      this.#grant(name);
    } else if (what === "lock") {
      requests.push({ tab, number });
      if (requests.length === 1) this.#grant(name);
    } else {
      const at = requests.findIndex((request) => request.tab === tab && request.number === number);
      if (at < 0) return;
      requests.splice(at, 1);
      if (at === 0) this.#grant(name);
    }
  }

  #grant(name) {
    const [first] = this.#locks.get(name);
    first?.tab.worker.postMessage({ what: "granted", number: first.number });
  }
}
