import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, until } from "./helpers.js";
import { CHALLENGE, START, STREAM, event, problem } from "./server.js";

// Streams that stay open, and answers to the POSTs.
function selecting(...statuses) {
  return (request, response) => {
    if (request.method === "POST") {
      const status = statuses.length > 1 ? statuses.shift() : statuses[0];
      return response.writeHead(status, { "retry-after": "1" }).end();
    }
    response.writeHead(200, STREAM);
    response.write(START + event(0, "a", "1") + event(1, "b", "2"));
  };
}

const keys = (request) => new URLSearchParams(request.text).getAll("key");

test("a selection is in the query, keys and fields", async (t) => {
  const select = { key: ["a", "b c"], keyBase64: "__79", "header:region": ["eu", "us"] };
  const { server } = await connect(t, [selecting(204)], { select });
  await until(() => server.requests.length);
  const { query } = server.requests[0];
  assert.deepEqual(query.getAll("key"), ["a", "b c"]);
  assert.deepEqual(query.getAll("keyBase64"), ["__79"]);
  assert.deepEqual(query.getAll("header:region"), ["eu", "us"]);
});

test("select() tells the open stream what is wanted, and takes leave of the rest at once", async (t) => {
  const { server, fanout, rows, changes } = await connect(t, [selecting(204)], {
    select: { key: ["a", "b"], "header:region": "eu" },
  });
  await until(() => changes.length === 2);
  fanout.select({ key: ["b", "c"], "header:region": "eu" });
  assert.deepEqual(rows(), { b: "2" });
  assert.deepEqual([changes[2].key, changes[2].deleted], ["a", true]);
  await until(() => server.requests.length === 2);
  const [stream, post] = server.requests;
  assert.equal(post.headers["content-type"], "application/x-www-form-urlencoded");
  assert.equal(post.query.get("stream"), stream.query.get("stream"));
  assert.equal(post.path, stream.path);
  assert.deepEqual([...new URLSearchParams(post.text)], [["header:region", "eu"], ["key", "b"], ["key", "c"]]);
});

test("selections of a stream are told one after the other, the last one last", async (t) => {
  const { server, fanout, changes } = await connect(t, [selecting(204)], { select: { key: ["a", "b"] } });
  await until(() => changes.length === 2);
  for (const key of ["c", "d", "e"]) fanout.select({ key });
  await until(() => server.requests.length > 1 && keys(server.requests.at(-1))[0] === "e");
  assert.equal(server.requests.filter(({ method }) => method === "GET").length, 1);
});

test("requests are sent one after the other, renewals too", async (t) => {
  let at = 0;
  let most = 0;
  const slow = (request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, STREAM);
      return response.write(START + event(0, "a", "1") + CHALLENGE);
    }
    most = Math.max(most, ++at);
    setTimeout(() => (at--, response.writeHead(204).end()), 100);
  };
  const { server, fanout, changes } = await connect(t, [slow], { token: () => "t" });
  await until(() => changes.length);
  fanout.select({ key: "a" });
  await until(() => server.requests.length === 3 && at === 0);
  assert.equal(most, 1);
});

test("a selection that comes too early, or finds a peer away, is told again", async (t) => {
  const { server, fanout, changes } = await connect(t, [selecting(429, 503, 204)], { select: { key: ["a", "b"] } });
  await until(() => changes.length === 2);
  fanout.select({ key: "a" });
  await until(() => server.requests.length === 4);
  assert.deepEqual(server.requests.slice(1).map(keys), [["a"], ["a"], ["a"]]);
});

for (const status of [404, 405, 415])
  test(`a server that says ${status} to a selection gets another stream`, async (t) => {
    const { server, fanout, changes } = await connect(t, [selecting(status)], { select: { key: ["a", "b"] } });
    await until(() => changes.length === 2);
    fanout.select({ key: "a" });
    await until(() => server.requests.length === 3);
    const [before, , after] = server.requests;
    assert.deepEqual(after.query.getAll("key"), ["a"]);
    assert.equal(after.headers["last-event-id"], "id-2");
    assert.notEqual(after.query.get("stream"), before.query.get("stream"));
  });

test("another field makes another stream and an empty table", async (t) => {
  const { server, fanout, changes, rows } = await connect(t, [selecting(204)], { select: { "header:region": "eu" } });
  await until(() => changes.length === 2);
  fanout.select({ "header:region": "us" });
  await until(() => changes.length === 5);
  assert.equal(changes[2].reset, true);
  assert.deepEqual(rows(), { a: "1", b: "2" });
  assert.equal(server.requests[1].query.get("header:region"), "us");
});

test("no key selects nothing, no selection everything", async (t) => {
  const { server, fanout, changes, rows } = await connect(t, [selecting(204)], { select: { key: [] } });
  await until(() => server.requests.length);
  fanout.select();
  await until(() => changes.length === 2);
  assert.deepEqual(rows(), { a: "1", b: "2" });
});

test("an empty key is a key", async (t) => {
  const body = START + event(0, "a", "1") + event(1, "", "2");
  const { server, rows } = await connect(t, [{ body }], { select: { key: "" } });
  await until(() => rows()[""] === "2");
  assert.deepEqual(rows(), { "": "2" });
  assert.deepEqual(server.requests[0].query.getAll("key"), [""]);
});

test("fields that look alike when they are written one after the other are not the same", async (t) => {
  const { server, fanout } = await connect(t, [selecting(204)], { select: { "header:a": "1,header:b,2" } });
  await until(() => server.requests.length);
  fanout.select({ "header:a": "1", "header:b": "2" });
  await until(() => server.requests.length === 2);
  assert.deepEqual(server.requests[1].query.getAll("header:a"), ["1"]);
});

test("what has come with an event for which a page selects something else is not shown", async (t) => {
  const answers = [{ body: START + event(0, "a", "1") + event(1, "b", "2") }, { body: START + event(2, "c", "3") }];
  const { fanout, rows } = await connect(t, answers, { select: { "header:region": "eu" } });
  const off = fanout.on("change", () => (off(), fanout.select({ "header:region": "us" })));
  await until(() => rows().c);
  assert.deepEqual(rows(), { c: "3" });
});

test("a handle that another stream has taken is given up", async (t) => {
  const { server, changes } = await connect(t, [
    { body: START + event(0, "a", "1") + "retry:86400000\n\n", open: false },
    { body: START + event(1, "b", "2") },
  ]);
  await until(() => changes.length === 2);
  assert.notEqual(server.requests[0].query.get("stream"), server.requests[1].query.get("stream"));
});

test("a selection that the server refuses closes it with the reason", async (t) => {
  const { fanout } = await connect(t, [problem(400, "filter_too_large")], { select: { key: "a" } });
  await until(() => fanout.state.state === "closed");
  assert.equal(fanout.state.reason, "filter_too_large");
});
