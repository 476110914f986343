import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { connect, until } from "./helpers.js";
import { START, STREAM, event, keepalive } from "./server.js";

const silent = { body: START + event(0, "a", "1") };

describe("what takes time", { concurrency: true }, () => {
  test("a stream that is silent for two and a half keep-alives is opened again", async (t) => {
    const { server, states, changes } = await connect(t, [silent, { body: START + event(1, "b", "2") }], { keepAliveMs: 600 });
    await until(() => changes.length === 2);
    assert.equal(server.requests[1].headers["last-event-id"], "id-1");
    assert.ok(!states.some(({ state }) => state === "retrying"), "at once");
  });

  test("after silence, tries on connections that may be as dead are short", async (t) => {
    const nothing = () => {};
    const { states, changes } = await connect(t, [silent, nothing, nothing, { body: START + event(1, "b", "2") }], { keepAliveMs: 600 });
    await until(() => changes.length === 2);
    assert.ok(!states.some(({ state }) => state === "retrying"), "at once");
  });

  test("one of them is without cookies, for which a browser takes another connection", async (t) => {
    const credentials = [];
    const keeping = (url, request) => (credentials.push(request.credentials), fetch(url, request));
    const answers = [silent, () => {}, { body: START + event(1, "b", "2"), open: false }, { body: START + event(2, "c", "3") }];
    const { changes } = await connect(t, answers, { keepAliveMs: 600, fetch: keeping });
    await until(() => changes.length === 3);
    assert.deepEqual(credentials, ["same-origin", "same-origin", "omit", "omit"], "where that works it stays");
  });

  test("where cookies are wanted, what is refused without them is asked for with them", async (t) => {
    const credentials = [];
    const keeping = (url, request) => (credentials.push(request.credentials), fetch(url, request));
    const answers = [silent, () => {}, { status: 403 }, { body: START + event(1, "b", "2") }];
    const { states, changes } = await connect(t, answers, { keepAliveMs: 600, fetch: keeping });
    await until(() => changes.length === 2);
    assert.deepEqual(credentials, ["same-origin", "same-origin", "omit", "same-origin"]);
    assert.ok(!states.some(({ state }) => state === "retrying" || state === "closed"), "at once");
  });

  test("keep-alives teach it their interval: silence after them is noticed sooner", async (t) => {
    let last;
    const speaking = async (request, response) => {
      response.writeHead(200, STREAM);
      response.write(START + event(0, "a", "1") + keepalive("id-1"));
      await sleep(2000);
      response.write(keepalive("id-2"));
      last = performance.now();
    };
    const { server } = await connect(t, [speaking, silent], { keepAliveMs: 4000 });
    await until(() => server.requests.length === 2);
    assert.equal(server.requests[1].headers["last-event-id"], "id-2");
    const silentMs = performance.now() - last;
    assert.ok(silentMs > 3500 && silentMs < 8500, silentMs);
  });

  test("keep-alives hold it", async (t) => {
    const speaking = async (request, response) => {
      response.writeHead(200, STREAM);
      response.write(START + event(0, "a", "1"));
      for (let n = 1; !response.destroyed && n < 5; n++) {
        await sleep(600);
        response.write(keepalive(`id-${n}`));
      }
    };
    const { server } = await connect(t, [speaking, silent], { keepAliveMs: 500 });
    await until(() => server.requests.length === 2);
    assert.equal(server.requests[1].headers["last-event-id"], "id-4");
  });

  test("a head that does not come is not waited for", { timeout: 60000 }, async (t) => {
    const { states, changes } = await connect(t, [() => {}, silent]);
    await until(() => changes.length === 1);
    assert.equal(states.find(({ state }) => state === "retrying").why, "timeout");
  });
});

test("a machine that slept looks at once, whatever its clock says", async (t) => {
  const { server, changes } = await connect(t, [silent, { body: START + event(1, "b", "2") }]);
  await until(() => changes.length === 1);
  const real = Date.now;
  t.mock.method(Date, "now", () => real() - 3600000);
  await until(() => server.requests.length === 2);
});
