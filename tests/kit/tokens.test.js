// Tokens that are refused, and their renewals.
import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, isState, until } from "./helpers.js";
import { CHALLENGE, START, STREAM, event, problem } from "./server.js";

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
