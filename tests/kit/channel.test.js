// What tabs say to each other, one of them played by the test.
import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "./helpers.js";
import { START, event, serve } from "./server.js";

const requests = []; // for locks: { name, callback, options }
const locks = { request: (name, options, callback) => new Promise(() => requests.push({ name, options, callback })) };
Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
const { Fanout } = await import("sse-kafka-fanout");

const item = (key, value, offset) => ({ type: "message", topic: "t", partition: 0, offset, timestamp: 1, key, value });

// A tab, and us on its channel. It holds its own lock from the beginning, and the leader's when grant() says so.
async function tab(t, options = {}, who = true) {
  requests.length = 0; // a port may be that of another test
  const server = await serve({ body: START + event(9, "z", "9") });
  const fanout = new Fanout(server.url, options);
  const said = [];
  const changes = [];
  fanout.on("change", ({ key, value, deleted }) => changes.push([key, deleted ? null : value]));
  const name = `fanout ${server.url} ${JSON.stringify(["", false, who])} 0`;
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => said.push(data);
  const own = await until(() => requests.find((request) => request.name.startsWith(`${name} `)), "its own lock");
  own.callback();
  t.after(() => (fanout.close(), channel.close(), server.close()));
  const say = (what, more) => channel.postMessage({ what, from: "leader", state: { state: "open", live: true }, tabs: 2, ...more });
  const hear = (what, isIt = () => true) => until(() => said.find((one) => one.what === what && isIt(one)), what);
  const grant = () => requests.find((request) => request.name === name).callback();
  const me = (await hear("join")).from;
  return { server, fanout, changes, said, say, hear, grant, me };
}

test("who comes late gets the table, and numbered batches after it", async (t) => {
  const { fanout, changes, said, say, me } = await tab(t);
  assert.equal(said[0].isLacking, true);
  say("table", { to: me, seq: 5, at: { id: "x" }, items: [item("a", "1", 0)] });
  say("news", { seq: 6, at: { id: "y" }, items: [item("b", "2", 1)] });
  await until(() => changes.length === 2);
  assert.deepEqual(changes, [["a", "1"], ["b", "2"]]);
  assert.deepEqual([fanout.state.tabs, fanout.state.leader, fanout.state.live], [2, false, true]);
});

test("who has missed a batch asks for the table, and tells what differs", async (t) => {
  const { changes, said, say, me } = await tab(t);
  say("table", { to: me, seq: 5, at: {}, items: [item("a", "1", 0), item("b", "1", 1), item("c", "1", 2)] });
  await until(() => changes.length === 3);
  say("news", { seq: 7, at: {}, items: [item("d", "lost", 9)] });
  await until(() => said.filter(({ isLacking }) => isLacking).length === 2);
  say("table", { to: me, seq: 7, at: {}, items: [item("a", "1", 0), item("b", "2", 7)] });
  await until(() => changes.length === 5);
  assert.deepEqual(changes.slice(3), [["c", null], ["b", "2"]]);
});

test("who does not lead is not listened to", async (t) => {
  const { changes, say, me } = await tab(t);
  say("table", { to: me, seq: 5, at: {}, items: [] });
  say("news", { from: "another", seq: 6, at: {}, items: [item("x", "1", 0)] });
  say("news", { seq: 6, at: {}, items: [item("a", "1", 0)] });
  await until(() => changes.length);
  assert.deepEqual(changes, [["a", "1"]]);
});

test("a new leader gets the table of a tab that is ahead, and goes on at its id", async (t) => {
  const { server, changes, say, hear, grant, me } = await tab(t);
  say("table", { to: me, seq: 5, at: { id: "old" }, items: [item("a", "1", 0)] });
  await until(() => changes.length === 1);
  grant();
  assert.equal((await hear("lead")).seq, 5);
  say("table", { from: "ahead", to: me, seq: 6, at: { id: "new", handle: "h".repeat(32) }, items: [item("a", "2", 1)] });
  await until(() => changes.length === 3);
  assert.deepEqual(changes, [["a", "1"], ["a", "2"], ["z", "9"]]);
  const [{ headers, query }] = server.requests;
  assert.equal(headers["last-event-id"], "new");
  assert.equal(query.get("stream"), "h".repeat(32));
  assert.equal((await hear("news", ({ items }) => items)).seq, 7);
});

test("who is ahead of a new leader hands it the table", async (t) => {
  const { changes, say, hear, me } = await tab(t);
  say("table", { to: me, seq: 5, at: { id: "old" }, items: [item("a", "1", 0)] });
  await until(() => changes.length);
  say("lead", { from: "new", seq: 4 });
  const { to, seq, items, at } = await hear("table", ({ from }) => from === me);
  assert.deepEqual([to, seq, items.length, at.id], ["new", 5, 1, "old"]);
});

test("the lock is taken from a leader that says nothing and does not answer", async (t) => {
  const { fanout, said, say, hear, me } = await tab(t);
  say("table", { to: me, seq: 5, at: {}, items: [] });
  await until(() => fanout.state.tabs === 2);
  const stolen = () => requests.find(({ options }) => options.steal);
  const real = performance.now.bind(performance);
  let silentMs = 41000;
  t.mock.method(performance, "now", () => real() + silentMs);
  await until(() => said.filter(({ what }) => what === "join").length === 2, "that it asks");
  assert.ok(!stolen(), "it may answer");
  silentMs += 8000;
  (await until(stolen)).callback();
  await hear("lead");
});

test("a tab that ends without a word is counted no more", async (t) => {
  const { fanout, grant, say } = await tab(t, { select: { key: "a" } });
  grant();
  say("join", { from: "other", keys: new Set(["b"]), isLacking: false });
  await until(() => fanout.state.tabs === 2);
  requests.find(({ name }) => name.endsWith(" other")).callback();
  await until(() => fanout.state.tabs === 1);
});

test("keys are united as far as a stream may select; for others there is another stream", async (t) => {
  const { server, grant, say, hear } = await tab(t, { select: { key: "a" } });
  grant();
  await until(() => server.streams.size);
  const many = (letter, n) => new Set(Array.from({ length: n }, (_, i) => letter + i));
  say("join", { from: "fits", keys: many("f", 255) });
  const selected = () => server.requests.filter(({ method }) => method === "POST").at(-1);
  await until(() => new URLSearchParams(selected()?.text).getAll("key").length === 256);
  say("join", { from: "does not", keys: many("n", 1) });
  assert.equal((await hear("full")).to, "does not");
  say("join", { from: "large", keys: new Set(["x".repeat(8192)]) });
  await hear("full", ({ to }) => to === "large");
});

test("who does not fit shares with others that do not", async (t) => {
  const { fanout, say, me } = await tab(t);
  say("table", { to: me, seq: 5, at: {}, items: [item("a", "1", 0)] });
  await until(() => fanout.table.size);
  say("full", { to: me });
  await until(() => requests.some(({ name }) => name.endsWith(" 1")));
  assert.equal(fanout.table.size, 0);
});

test("what is selected after its end is not said, nor is an error thrown", async (t) => {
  const { fanout } = await tab(t);
  fanout.close();
  fanout.select({ key: "a" });
});

test("no token is said", async (t) => {
  let n = 0;
  const token = () => `e30.${Buffer.from(JSON.stringify({ sub: "me", exp: n++ })).toString("base64url")}.secret`;
  const { server, said, grant } = await tab(t, { token }, { sub: "me" });
  grant();
  await until(() => server.requests.length);
  await until(() => said.some(({ what }) => what === "news"));
  assert.match(server.requests[0].headers.authorization, /^Bearer e30.*secret$/);
  assert.equal(n, 1, "fetched once");
  assert.ok(!JSON.stringify(said).includes("secret"));
});

test("who has no token yet, or one that says nothing of its user, does not share", async (t) => {
  const server = await serve({ body: START + event(9, "z", "9") });
  const fanout = new Fanout(server.url, { token: () => "opaque" });
  t.after(() => (fanout.close(), server.close()));
  await until(() => fanout.table.size);
  assert.equal(server.requests[0].headers.authorization, "Bearer opaque");
  assert.ok(!requests.some(({ name }) => name.includes(server.url)));
});
