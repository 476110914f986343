// What both pages show in the same way.  Text from Kafka goes on the screen by textContent only.

const LINES = 9; // of a text, and characters, beyond which it is folded
const FOLDED_CHARACTERS = 600;
const MAX_CHARACTERS = 4000;
const INVISIBLE = /(?!\r\n)[\0-\x08\x0b-\x1f\x7f-\x9f]/g;
const RATE_S = 5; // the rate is that of so many seconds

export function element(name, text = "", className = "") {
  const e = document.createElement(name);
  e.textContent = text;
  if (className) e.className = className;
  return e;
}

// One that is long is folded, and says how long it is.
export function textElement(text) {
  const box = element("div");
  const body = element("div", "", "text");
  // Lines break behind commas, if they can.  Where there is no text there is no line.
  const [first, ...others] = shortened(text).split(/(?<=,)/);
  body.append(first, ...others.flatMap((piece) => [element("wbr"), piece]));
  box.append(body);
  const lines = text.split("\n").length;
  if (lines <= LINES && text.length <= FOLDED_CHARACTERS) return box;
  const size = lines > LINES ? `${lines} lines` : `${text.length} characters`;
  const button = element("button", `${size}, show all`, "more");
  button.type = "button";
  button.ariaExpanded = "false";
  button.addEventListener("click", () => {
    const isOpen = body.classList.toggle("whole");
    button.ariaExpanded = String(isOpen);
    button.textContent = `${size}, show ${isOpen ? "less" : "all"}`;
  });
  body.classList.add("long");
  box.append(button);
  return box;
}

// What has no shape on a screen is seen as \x00; what is no UTF-8 is \ufffd already.
export function shortened(text) {
  const start = text.slice(0, MAX_CHARACTERS).replace(INVISIBLE, (c) => `\\x${c.charCodeAt().toString(16).padStart(2, "0")}`);
  return text.length <= MAX_CHARACTERS ? start : `${start} ... (${text.length} characters)`;
}

// When a record was made, as Kafka says: milliseconds since 1970, or undefined.
export function timeOf(timestamp) {
  if (timestamp === undefined) return "";
  const time = new Date(timestamp);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? time.toLocaleTimeString() : time.toLocaleDateString();
}

export function keyElement(key) {
  if (key === undefined) return element("span", "no key", "key none");
  return key === "" ? element("span", "empty key", "key none") : element("span", shortened(key), "key");
}

// What came, as an entry of the list: when, of which kind, which key, and the text.
export function messageElement({ type, key, value, timestamp, replayed, reason, detail, topic = "", partition, from, to }) {
  const item = element("li", "", type);
  const head = element("div", "", "head");
  const time = element("time", timeOf(timestamp));
  if (timestamp !== undefined) time.dateTime = new Date(timestamp).toISOString();
  head.append(time);
  if (type !== "message") head.append(element("span", type, "kind"));
  if (replayed) head.append(element("span", "replay", "kind"));
  if (type === "message" || type === "delete") head.append(keyElement(key));
  const gap = reason ?? `${topic} ${partition}: ${from} to ${to - 1} are lost`;
  item.append(head, textElement(type === "gap" ? gap : (value ?? detail ?? reason ?? "")));
  return item;
}

// A table's row: its key, and what fillRow() puts beside it.
export function rowElement(key) {
  const row = element("tr");
  const head = element("th");
  head.scope = "row";
  head.append(keyElement(key));
  row.append(head, element("td"), element("td", "", "when"));
  return row;
}

export function fillRow(row, value, timestamp) {
  const cell = element("td"); // a new one, so that its highlight starts again
  cell.append(textElement(value));
  row.children[1].replaceWith(cell);
  row.children[2].textContent = timeOf(timestamp);
}

// sought: in small letters.
export function isFound(sought, key, value) {
  return !sought || [key, value].some((text) => text.toLowerCase().includes(sought));
}

// How many keys a table has, and of these how many the search has found.
export const keysFound = (sought, found, keys) => (sought ? `${found} of ` : "") + plural(keys, "key");

// How many events there were, and how many a second of late.
export class Rate {
  #events = 0;
  #arrivals = []; // of those that were not replayed, in the last seconds

  add(isReplayed) {
    this.#events++;
    if (!isReplayed) this.#arrivals.push(Date.now());
  }

  toString() {
    const now = Date.now();
    this.#arrivals = this.#arrivals.filter((at) => now - at < 1000 * RATE_S);
    const rate = (this.#arrivals.length / RATE_S).toFixed(1);
    return this.#events ? `${plural(this.#events, "event")}, ${rate} a second` : "no events yet";
  }
}

export const plural = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
