// The ways in which a server refuses: the state says which, why, and whether it tries again.
import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, isState, until } from "./helpers.js";
import { CHALLENGE, START, STREAM, event, problem } from "./server.js";

const HTML = { "content-type": "text/html" };

// [what, the answer, what the state says of it]
const FINAL = [
  ["a route that is not there", problem(404, "route_unknown"), { why: "status", status: 404, reason: "route_unknown" }],
  ["a topic that is not served", problem(404, "topic_unknown"), { status: 404, reason: "topic_unknown" }],
  ["a bad path", problem(400, "path_invalid"), { status: 400, reason: "path_invalid" }],
  ["a filter that is not declared", problem(400, "filter_unknown"), { status: 400, reason: "filter_unknown" }],
  ["too many keys", problem(400, "filter_too_large"), { status: 400, reason: "filter_too_large" }],
  ["a bad start", problem(400, "from_invalid"), { status: 400, reason: "from_invalid" }],
  ["no token", problem(401, "token_missing"), { status: 401, reason: "token_missing" }],
  ["a bad token", problem(401, "token_invalid"), { status: 401, reason: "token_invalid", detail: "detail of token_invalid" }],
  ["a scope that lacks", problem(403, "scope_missing"), { status: 403, reason: "scope_missing" }],
  ["a claim that lacks", problem(403, "claim_missing"), { status: 403, reason: "claim_missing" }],
  ["another origin", problem(403, "origin"), { status: 403, reason: "origin" }],
  ["a method that is not allowed", problem(405, "method"), { status: 405, reason: "method" }],
  ["a front's 404 in HTML", { status: 404, headers: HTML, body: "<h1>404</h1>" }, { status: 404, reason: undefined }],
  ["a page instead of a stream", { headers: HTML, body: "<h1>Hi</h1>", open: false }, { why: "type", status: 200, detail: "text/html" }],
  ["no content type", { headers: {}, open: false }, { why: "type", status: 200, detail: "" }],
  ["nothing", { status: 204, headers: {} }, { why: "type", status: 204 }],
  ["a way to a login", { status: 302, headers: { location: "/login" } }, { why: "redirect", status: 302 }],
  ["events of another kind", { body: "id:1\ndata:Hello\n\n" }, { why: "protocol" }],
];

for (const [what, answer, said] of FINAL) {
  test(`${what} closes it, with a word`, async (t) => {
    const { fanout, server, states } = await connect(t, [answer]);
    await isState(fanout, "closed");
    assert.partialDeepStrictEqual?.(fanout.state, said);
    for (const [name, value] of Object.entries(said)) assert.equal(fanout.state[name], value, name);
    assert.equal(server.requests.length, 1);
    assert.equal(states.filter(({ state }) => state === "closed").length, 1);
  });
}

const AGAIN = [
  ["a responder that is busy", problem(503, "busy", { "retry-after": "1" }), { why: "status", status: 503, reason: "busy" }],
  ["too many streams", problem(429, "rate", { "retry-after": "1" }), { status: 429, reason: "rate" }],
  ["a responder that is not set up", problem(500, "misconfigured"), { status: 500, reason: "misconfigured" }],
  ["a front's 502 in HTML", { status: 502, headers: HTML, body: "<h1>Bad gateway</h1>" }, { status: 502 }],
  ["a front's 504", { status: 504, headers: HTML }, { status: 504 }],
  ["JSON that is none", { status: 503, headers: { "content-type": "application/json" }, body: "{" }, { status: 503 }],
  ["the standby", { body: "retry:300\n:\n", open: false }, { why: "busy" }],
  ["a connection that is cut", (request) => request.socket.destroy(), { why: "unreachable" }],
];

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

test("a token that is refused is fetched anew once", async (t) => {
  let n = 0;
  const { server, changes } = await connect(t, [problem(401, "token_invalid"), { body: START + event(0, "a", "1") }], {
    token: async () => `token-${++n}`,
  });
  await until(() => changes.length === 1);
  assert.deepEqual(server.requests.map(({ headers }) => headers.authorization), ["Bearer token-1", "Bearer token-2"]);
  assert.ok(!server.requests.some(({ query }) => query.has("access_token")));
});

test("a second token that is refused closes it, with the reason", async (t) => {
  const { fanout, server } = await connect(t, [problem(403, "scope_missing")], { token: () => "t" });
  await isState(fanout, "closed");
  assert.equal(fanout.state.reason, "scope_missing");
  assert.equal(server.requests.length, 2);
});

test("a token that cannot be had is asked for again", async (t) => {
  let n = 0;
  const { states, changes } = await connect(t, [{ body: START + event(0, "a", "1") }], {
    token: async () => {
      if (!n++) throw new Error("nobody is logged in");
      return "t";
    },
  });
  await until(() => changes.length === 1);
  const { why, detail } = states.find(({ state }) => state === "retrying");
  assert.deepEqual([why, detail], ["token", "nobody is logged in"]);
});

// A stream that is challenged at once, and what its renewals get.
function challenged(...renewals) {
  return (request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, STREAM);
      return response.write(START + event(0, "a", "1") + CHALLENGE);
    }
    const { status, headers = {}, body = "" } = renewals.length > 1 ? renewals.shift() : renewals[0];
    response.writeHead(status, headers).end(body);
  };
}

async function renewed(t, ...renewals) {
  let n = 0;
  return connect(t, [challenged(...renewals)], { token: () => `token-${++n}` });
}

test("a challenge is answered once, to the stream's own URL and handle", async (t) => {
  const { server } = await renewed(t, { status: 204 });
  await until(() => server.requests.length === 2);
  const [stream, renewal] = server.requests;
  assert.equal(renewal.method, "POST");
  assert.equal(renewal.headers["content-type"], "application/x-challenge-response");
  assert.equal(renewal.headers.authorization, "Bearer token-2");
  assert.equal(renewal.query.get("stream"), stream.query.get("stream"));
});

test("a renewal that comes too early, or finds a peer away, is sent again", async (t) => {
  const again = { "retry-after": "1" };
  const { server, fanout } = await renewed(t, problem(429, "rate", again), problem(503, "busy", again), { status: 204 });
  await until(() => server.requests.length === 4 && fanout.state.note === undefined);
  assert.equal(fanout.state.state, "open");
});

test("a renewal that is refused is sent once more, with another token, and said", async (t) => {
  const { server, fanout } = await renewed(t, problem(403, "subject_differs"));
  await until(() => server.requests.length === 3);
  await until(() => fanout.state.note === "refused");
  assert.equal(fanout.state.detail, "subject_differs");
  assert.equal(fanout.state.state, "open");
});

test("after its end a stream comes back with the renewed token", async (t) => {
  const { server, states } = await renewed(t, { status: 204 });
  await until(() => server.requests.length === 2);
  await until(() => states.filter(({ state }) => state === "open").length >= 2);
  server.break();
  await until(() => server.requests.length >= 3);
  assert.equal(server.requests[2].headers.authorization, "Bearer token-2");
});

test("a renewal that waits for a connection is said to", async (t) => {
  let goOn;
  const free = new Promise((resolve) => (goOn = resolve));
  const { fanout } = await connect(t, [challenged({ status: 204 })], {
    token: () => "t",
    fetch: async (url, request) => {
      if (request.method === "POST") await free;
      return fetch(url, request);
    },
  });
  await until(() => fanout.state.note === "waiting");
  assert.equal(fanout.state.state, "open");
  goOn();
  await until(() => fanout.state.note === undefined);
});
