// What fanout.d.ts lets one say, and what it does not; checked by tsc --strict.
import { Fanout, type FanoutEvent, type State } from "sse-kafka-fanout";

const orders = new Fanout("https://example.com/orders", {
  token: async () => "t",
  select: { key: ["a", "b"], "header:region": "eu", "field:customer.id": [7, 8] },
  shared: "somebody",
});
const off: () => void = orders.on("state", (state: State) => state.retryInMs?.toFixed());
orders.on("change", ({ key, value, old, deleted }) => [key?.length, value?.trim(), old?.trim(), deleted]);
orders.on("table", (table) => table.get("a")?.length);
for (const [key, value] of orders.table) console.log(key.trim(), value.trim());
orders.select({ key: "c" });
orders.select();
off();

const bytes = new Fanout<Uint8Array>("https://example.com/orders", { bytes: true });
bytes.on("change", (change: FanoutEvent<Uint8Array>) => change.value?.byteLength);
for await (const event of bytes) console.log(event.value?.byteLength, event.json.total);

// @ts-expect-error: values are text
new Fanout("/orders", { bytes: true });
// @ts-expect-error: there is no such event
orders.on("message", () => {});
// @ts-expect-error: nor such a field
orders.select({ prefix: "a" });
// @ts-expect-error: who reads a table does not write it
orders.table.set("a", "b");
// @ts-expect-error: there is no such state
if (orders.state.state === "done") orders.close();

export {};
