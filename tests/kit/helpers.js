import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { Fanout } from "sse-kafka-fanout";
import { serve } from "./server.js";

const PATIENCE_MS = 30000;

export async function until(condition, what = String(condition)) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < end, `not within ${PATIENCE_MS} ms: ${what}`);
    await sleep(5);
  }
}

export const isState = (fanout, state) => until(() => fanout.state.state === state, `it is ${state}`);

// A server that gives these answers, and a client of it: { server, fanout, states, changes, rows }.
export async function connect(t, answers, options = {}) {
  const server = await serve(...answers);
  const fanout = new Fanout(server.url, options);
  const states = [];
  const changes = [];
  fanout.on("state", (state) => states.push(state));
  fanout.on("change", (change) => changes.push(change));
  t.after(() => (fanout.close(), server.close()));
  return { server, fanout, states, changes, rows: () => Object.fromEntries(fanout.table) };
}
