// The ways in which a server refuses: the state says which, why, and whether it tries again.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import { connect, isState, until } from "./helpers.js";
import { START, event, problem } from "./server.js";

const HTML = { "content-type": "text/html" };

// PROTOCOL.md, 7.1: each reason with each of its statuses.
const PROTOCOL = (await readFile("PROTOCOL.md", "utf8")).match(/^## 7\..*?(?=^## 8\.)/ms)[0];
const REASONS = [...PROTOCOL.matchAll(/^\| `(\w+)` \| ([\d, ]+) \|/gm)].flatMap(([, reason, statuses]) =>
  statuses.split(", ").map((status) => [reason, Number(status)]));

// Of a status that says nothing else, as a server between may send it.
const LASTING = [400, 401, 403, 404, 405, 406, 410, 411, 412, 413, 414, 415, 417, 422, 426, 428, 431, 451];
const PASSING = [408, 425, 429, 500, 501, 502, 503, 504, 505, 507, 511];
const html = (status) => ({ status, headers: HTML, body: `<h1>${status}</h1>` });
const ofFront = (status) => [`a front's ${status} in HTML`, html(status), { why: "status", status, reason: undefined }];

const ofServer = ([reason, status]) => {
  const said = { why: "status", status, reason, detail: `detail of ${reason}` };
  return [`${status} ${reason}`, problem(status, reason), said];
};
const isPassing = ([, status]) => PASSING.includes(status);

const typed = (type) => ({ headers: type ? { "content-type": type } : {}, body: "<h1>Hi</h1>", open: false });
const ofType = (type) => [`content of type "${type}"`, typed(type), { why: "type", status: 200, detail: type }];

// [what, the answer, what the state says of it]
const FINAL = [
  ...REASONS.filter((pair) => !isPassing(pair)).map(ofServer),
  ...LASTING.map(ofFront),
  ...["text/html", "", "text/plain", "application/json", "application/x-ndjson", "text/event-streams"].map(ofType),
  ["nothing", { status: 204, headers: {} }, { why: "type", status: 204 }],
  ["a part of a stream", { status: 206, open: false }, { why: "type", status: 206 }],
  ["a way to a login", { status: 302, headers: { location: "/login" } }, { why: "redirect", status: 302 }],
  ["a way elsewhere", { status: 308, headers: { location: "/" } }, { why: "redirect", status: 308 }],
  ["events of another kind", { body: "id:1\ndata:Hello\n\n" }, { why: "protocol" }],
];

test("there are reasons to be tried", () => assert.ok(REASONS.length > 20, REASONS.length));

describe("refusals that stay", { concurrency: true }, () => {
  for (const [what, answer, said] of FINAL) {
    test(`${what} closes it, with a word`, async (t) => {
      const { fanout, server, states } = await connect(t, [answer]);
      await isState(fanout, "closed");
      for (const [name, value] of Object.entries(said)) assert.equal(fanout.state[name], value, name);
      assert.equal(server.requests.length, 1);
      assert.equal(states.filter(({ state }) => state === "closed").length, 1);
    });
  }
});

const OF_TOKENS = REASONS.filter(([, status]) => status === 401 || status === 403);

describe("refusals of a token", { concurrency: true }, () => {
  for (const [reason, status] of OF_TOKENS) {
    const tries = reason === "origin" ? 1 : 2; // which no other token mends
    test(`${status} ${reason} closes it after ${tries}`, async (t) => {
      const { fanout, server } = await connect(t, [problem(status, reason)], { token: () => "t" });
      await isState(fanout, "closed");
      assert.equal(fanout.state.reason, reason);
      assert.equal(server.requests.length, tries);
    });
  }
});

const AGAIN = [
  ...REASONS.filter(isPassing).map(ofServer),
  ...PASSING.map(ofFront),
  ["a responder that says when", problem(503, "busy", { "retry-after": "1" }), { status: 503, reason: "busy" }],
  ["JSON that is none", { status: 503, headers: { "content-type": "application/json" }, body: "{" }, { status: 503 }],
  ["JSON that says nothing", { status: 503, headers: { "content-type": "application/json" }, body: "null" }, { status: 503 }],
  ["the standby", { body: "retry:300\n:\n", open: false }, { why: "busy" }],
  ["a connection that is cut", (request) => request.socket.destroy(), { why: "unreachable" }],
];

describe("refusals that pass", { concurrency: true }, () => {
  for (const [what, answer, said] of AGAIN) {
    test(`${what} is tried again after a while`, async (t) => {
      const { states, changes } = await connect(t, [answer, { body: START + event(0, "a", "1") }]);
      await until(() => changes.length === 1);
      const retrying = states.find(({ state }) => state === "retrying");
      for (const [name, value] of Object.entries(said)) assert.equal(retrying[name], value, name);
      const least = answer.headers?.["retry-after"] ? 1000 : 250;
      assert.ok(retrying.retryInMs >= least && retrying.retryInMs <= 1500, retrying.retryInMs);
      assert.equal(states.at(-1).state, "open");
    });
  }
});

test("a page in place of a stream that was open before is tried again", async (t) => {
  const { states, changes } = await connect(t, [
    { body: START + event(0, "a", "1"), open: false },
    { headers: HTML, body: "<h1>Log in to the hotel's network</h1>", open: false },
    { body: START + event(1, "b", "2") },
  ]);
  await until(() => changes.length === 2);
  assert.ok(states.some(({ state, why }) => state === "retrying" && why === "type"));
});

test("an id that is too long for a front is left out, and all comes again", async (t) => {
  const { server, changes, rows } = await connect(t, [
    { body: START + event(0, "a", "1"), open: false },
    { status: 431, headers: HTML },
    { body: START + event(7, "b", "2") },
  ]);
  await until(() => changes.length === 3);
  assert.deepEqual(rows(), { b: "2" });
  assert.equal(changes[1].reason, "id_refused");
  assert.equal(server.requests[2].headers["last-event-id"], undefined);
});

test("tries in a row are further and further apart", async (t) => {
  const { states, server } = await connect(t, [problem(503, "busy")]);
  await until(() => server.requests.length === 3);
  const waits = states.filter(({ state }) => state === "retrying").map(({ retryInMs }) => retryInMs);
  assert.ok(waits[0] >= 500 && waits[0] <= 1500, waits[0]);
  assert.ok(waits[1] >= 1000 && waits[1] <= 3000, waits[1]);
});

test("after an event the waiting begins anew", async (t) => {
  const { states, changes } = await connect(t, [
    problem(503, "busy"),
    problem(503, "busy"),
    { body: START + event(0, "a", "1"), open: false },
    { body: START + event(1, "b", "2") },
  ]);
  await until(() => changes.length === 2);
  const waits = states.filter(({ state }) => state === "retrying").map(({ retryInMs }) => retryInMs);
  assert.equal(waits.length, 3);
  assert.ok(waits[2] < 100, `as long as the server's retry: ${waits[2]}`);
});
