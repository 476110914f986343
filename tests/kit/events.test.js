import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, isState, until } from "./helpers.js";
import { START, STREAM, event, keepalive, remove } from "./server.js";

test("the table has the newest value of each key, and each change is told once", async (t) => {
  const body = START + event(0, "a", "1") + event(1, "b", '"x"') + event(2, "a", "2") + remove(3, "b");
  const { fanout, changes, rows } = await connect(t, [{ body }]);
  await until(() => changes.length === 4);
  assert.deepEqual(rows(), { a: "2" });
  assert.deepEqual(changes.map(({ key, value, old, deleted }) => [key, value, old, deleted]), [
    ["a", "1", undefined, false],
    ["b", '"x"', undefined, false],
    ["a", "2", "1", false],
    ["b", undefined, '"x"', true],
  ]);
  assert.equal(changes[0].timestamp, 1000);
  assert.equal(fanout.version, 4);
});

test("what is replayed is told from what is live", async (t) => {
  const body = START + event(0, "a", "1") + keepalive("id-1") + event(1, "a", "2");
  const { fanout, changes } = await connect(t, [{ body }]);
  await until(() => changes.length === 2);
  assert.deepEqual(changes.map((change) => change.replayed), [true, false]);
  assert.equal(fanout.state.live, true);
});

test("it asks for envelopes and comes back with the last id, by header", async (t) => {
  const { server, changes } = await connect(t, [
    { body: START + event(0, "a", "1"), open: false },
    { body: START + event(1, "b", "2") },
  ]);
  await until(() => changes.length === 2);
  const [first, second] = server.requests;
  assert.equal(first.query.get("data"), "envelope");
  assert.equal(first.query.get("keepalive"), "event");
  assert.match(first.query.get("stream"), /^[\w-]{32}$/);
  assert.equal(first.headers["last-event-id"], undefined);
  assert.equal(second.headers["last-event-id"], "id-1");
  assert.equal(second.query.get("stream"), first.query.get("stream"));
});

test("the id of an event that was cut is not sent back", async (t) => {
  const whole = event(1, "b", "2");
  const { server, changes } = await connect(t, [
    { body: START + event(0, "a", "1") + whole.slice(0, -1), open: false },
    { body: START + whole },
  ]);
  await until(() => changes.length === 2);
  assert.equal(server.requests[1].headers["last-event-id"], "id-1");
});

test("a place without an event is kept", async (t) => {
  const { server } = await connect(t, [{ body: `${START}id:place\n\n`, open: false }, { body: START }]);
  await until(() => server.requests.length === 2);
  assert.equal(server.requests[1].headers["last-event-id"], "place");
});

test("bytes that come one by one, and other line ends, make the same events", async (t) => {
  const text = (START + event(0, "\u00fc", '"\u20ac\ud83d\ude00"') + event(1, "b", "2")).replaceAll("\n", "\r\n");
  const one = async (request, response) => {
    response.writeHead(200, STREAM);
    for (const byte of Buffer.from(text)) {
      response.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
  };
  const { changes, rows } = await connect(t, [one]);
  await until(() => changes.length === 2);
  assert.deepEqual(rows(), { "\u00fc": '"\u20ac\ud83d\ude00"', b: "2" });
});

test("a value of several megabytes passes", async (t) => {
  const value = JSON.stringify("x".repeat(4 << 20));
  const { rows } = await connect(t, [{ body: START + event(0, "a", value) }]);
  await until(() => rows().a === value, "the value");
});

test("JSON is parsed on demand, and no digit is lost before", async (t) => {
  const body = START + event(0, "a", '{"n":12345678901234567890,"value":1}') + event(1, "b", undefined, { text: "{no" });
  const { changes, rows } = await connect(t, [{ body }]);
  await until(() => changes.length === 2);
  assert.equal(rows().a, '{"n":12345678901234567890,"value":1}');
  assert.equal(changes[0].json.value, 1);
  assert.equal(rows().b, "{no");
  assert.equal(changes[1].json, undefined);
});

test("a header that is named value is none", async (t) => {
  const headers = { x: [',"value":'], value: ["v"] };
  const { changes } = await connect(t, [{ body: START + event(0, "a", "[1]", { headers }) }]);
  await until(() => changes.length === 1);
  assert.equal(changes[0].value, "[1]");
  assert.deepEqual(changes[0].headers, headers);
});

const BINARY = START + event(0, undefined, undefined, { keyBase64: "//79", base64: "/wA=" }) + event(1, "k", '"v"');

test("keys and values that are no text have a text all the same", async (t) => {
  const { rows, changes } = await connect(t, [{ body: BINARY }]);
  await until(() => changes.length === 2);
  assert.deepEqual(rows(), { "base64:__79": "\ufffd\0", k: '"v"' });
});

test("with `bytes` values are bytes, and keys base64url", async (t) => {
  const { rows, changes } = await connect(t, [{ body: BINARY }], { bytes: true });
  await until(() => changes.length === 2);
  assert.deepEqual(rows(), { __79: new Uint8Array([255, 0]), aw: new Uint8Array(Buffer.from('"v"')) });
  assert.equal(changes[1].json, "v");
});

test("an event that its route names is a message with a name", async (t) => {
  const { changes } = await connect(t, [{ body: START + event(0, "a", "1", { type: "paid" }) }]);
  await until(() => changes.length === 1);
  assert.deepEqual([changes[0].type, changes[0].name], ["message", "paid"]);
});

test("records without a key are events, and no rows", async (t) => {
  const { fanout, server } = await connect(t, [{ body: START }]);
  const seen = [];
  fanout.on("event", (one) => seen.push(one.value));
  await until(() => server.streams.size);
  server.push(event(0, undefined, "1"));
  await until(() => seen.length === 1);
  assert.equal(fanout.table.size, 0);
});

test("a reset empties the table and says why, a gap says what is missing", async (t) => {
  const reset = 'id:r\nevent:reset\ndata:{"topic":"t","reason":"topic_new","detail":"made again"}\n\n';
  const gap = 'id:g\nevent:gap\ndata:{"topic":"t","partition":0,"from":1,"to":5}\n\n';
  const { fanout, server, changes, rows } = await connect(t, [{ body: START + event(0, "a", "1") }]);
  const seen = [];
  fanout.on("event", (one) => seen.push(one));
  await until(() => changes.length === 1);
  server.push(reset + gap + event(0, "b", "2"));
  await until(() => changes.length === 3);
  assert.equal(changes[1].reset, true);
  assert.equal(changes[1].reason, "topic_new");
  assert.deepEqual(rows(), { b: "2" });
  assert.deepEqual(seen.map(({ type, from, to }) => [type, from, to]).slice(-2)[0], ["gap", 1, 5]);
});

test("events are iterated until it is closed", async (t) => {
  const { fanout, server } = await connect(t, [{ body: START + event(0, "a", "1") + event(1, "b", "2") }]);
  const seen = [];
  for await (const one of fanout) {
    seen.push(one.value);
    if (one.value === "2") server.push(event(2, "c", "3"));
    if (one.value === "3") fanout.close();
  }
  assert.deepEqual(seen, ["1", "2", "3"]);
});

test("an iterator throws what has closed the stream", async (t) => {
  const { fanout } = await connect(t, [{ status: 404, headers: {} }]);
  const next = async () => {
    for await (const one of fanout) assert.fail(one);
  };
  await assert.rejects(next, { state: "closed", status: 404 });
});

test("an iterator that is not asked keeps ten thousand events and says that some are missing", async (t) => {
  const many = Array.from({ length: 10001 }, (_, n) => event(n, "a", String(n))).join("");
  const { fanout, server, changes } = await connect(t, [{ body: START }]);
  const iterator = fanout[Symbol.asyncIterator]();
  const first = iterator.next();
  await until(() => server.streams.size);
  server.push(event(0, "a", "first"));
  assert.equal((await first).value.value, "first");
  server.push(many);
  await until(() => changes.length === 10002);
  assert.deepEqual([(await iterator.next()).value.type, (await iterator.next()).value.value], ["gap", "10000"]);
});

test("a listener that throws keeps nothing from the others", async (t) => {
  const errors = [];
  t.mock.method(console, "error", (error) => errors.push(error.message));
  const { fanout, changes, server } = await connect(t, [{ body: START }]);
  fanout.on("change", () => {
    throw new Error("mine");
  });
  await until(() => server.streams.size);
  server.push(event(0, "a", "1") + event(1, "b", "2"));
  await until(() => changes.length === 2 && errors.length === 2);
  assert.deepEqual(errors, ["mine", "mine"]);
});

test("what is closed stays so, and leaves nothing open", async (t) => {
  const { fanout, server, states } = await connect(t, [{ body: START + event(0, "a", "1") }]);
  await isState(fanout, "open");
  fanout.close();
  await until(() => server.streams.size === 0);
  assert.deepEqual([states.at(-1).state, states.at(-1).why], ["closed", "closed"]);
});
