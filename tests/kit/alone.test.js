// A page that could share a stream, and cannot load what is needed for it.
import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { until } from "./helpers.js";
import { START, event, serve } from "./server.js";

const PACKAGE = new URL(".", import.meta.resolve("sse-kafka-fanout"));

test("a page that cannot load the module for tabs has a stream of its own", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "fanout-"));
  t.after(() => rm(directory, { recursive: true }));
  await cp(PACKAGE, directory, { recursive: true });
  await rm(join(directory, "fanout-tabs.js"));
  Object.defineProperty(globalThis, "navigator", { value: { locks: {} }, configurable: true });
  const { Fanout } = await import(join(directory, "fanout.js"));
  const server = await serve({ body: START + event(0, "a", "1") });
  const fanout = new Fanout(server.url);
  t.after(() => (fanout.close(), server.close()));
  await until(() => fanout.table.get("a") === "1");
  assert.deepEqual([fanout.state.leader, fanout.state.tabs], [true, 1]);
});
