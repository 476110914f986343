// node follow.js URL [OPTIONS]: each event as a line of JSON, and each line of input as a selection. An access
// token is whatever the file TOKEN_FILE holds when it is asked for.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

import { Fanout } from "sse-kafka-fanout";

const [url, options = "{}"] = process.argv.slice(2);
const { TOKEN_FILE } = process.env;
const token = TOKEN_FILE && (() => readFile(TOKEN_FILE, "utf8"));
const fanout = new Fanout(url, { ...JSON.parse(options), token });

createInterface({ input: process.stdin }).on("line", (line) => fanout.select(JSON.parse(line)));
fanout.on("state", (state) => {
  console.log(JSON.stringify({ state }));
  if (state.state === "closed") process.stdin.destroy(); // then there is nothing left to wait for
});
fanout.on("event", (event) => console.log(JSON.stringify({ ...event, table: Object.fromEntries(fanout.table) })));
