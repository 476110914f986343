// A tab, as a thread: it has BroadcastChannel, and of Web Locks what follows, kept by its parent.
import { setMaxListeners } from "node:events";
import { parentPort, workerData } from "node:worker_threads";

setMaxListeners(0); // of signals: a tab knows many others

const held = new Map(); // number of a request -> what is called when it is granted
let last = 0;

const locks = {
  request(name, options, callback) {
    const number = ++last;
    return new Promise((resolve, reject) => {
      held.set(number, { reject, grant: () => Promise.resolve(callback({ name })).then(release) });
      const release = () => (held.delete(number), post("unlock"), resolve());
      const post = (what) => parentPort.postMessage({ what, name, number, steal: !!options.steal });
      options.signal?.addEventListener("abort", () => (post("unlock"), reject(options.signal.reason)));
      post("lock");
    });
  },
};
Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });

const { Fanout } = await import("sse-kafka-fanout");

const fanout = new Fanout(workerData.url, workerData.options);
const wrong = [];
const newest = new Map(); // of each key that a tab has seen since it last selected
let changes = 0;
fanout.on("change", ({ key, value, old, deleted, reset }) => {
  changes++;
  if (reset) newest.clear();
  // A key that was given up a moment ago may leave after it is wanted again.
  if (deleted && workerData.options.select) newest.delete(key);
  if (deleted || reset) return;
  // Values of a key only rise.
  if (value === old || Number(value) <= (newest.get(key) ?? -1)) wrong.push(`${key}: ${old} -> ${value}`);
  newest.set(key, Number(value));
});

parentPort.on("message", ({ what, number, keys, ms }) => {
  if (what === "granted") held.get(number)?.grant();
  else if (what === "stolen") held.get(number)?.reject(new Error("stolen"));
  else if (what === "select") {
    newest.clear();
    fanout.select(keys ? { key: keys } : undefined);
  } else if (what === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  else if (what === "close") fanout.close();
  else parentPort.postMessage({ what: "is", table: fanout.table, state: fanout.state, wrong, changes });
});
