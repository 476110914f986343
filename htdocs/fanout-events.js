// Bytes of an event stream, and queries, as what fanout.js tells its page.

const utf8 = (text) => new TextEncoder().encode(text);
export const bytesOf = (base64) =>
  Uint8Array.from(atob(base64.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
export const base64url = (bytes) =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
    .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

// WHATWG HTML, 9.2.6.
export class Parser {
  id = "";
  retryMs;
  #rest = "";
  #id = "";
  #data = [];
  #type = "";

  push(text, onEvent) {
    const isWhole = /[\r\n]/.test(text);
    this.#rest += text;
    if (!isWhole) return; // a long line is looked through once
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (name === "data") this.#data.push(value);
      else if (name === "event") this.#type = value;
      else if (name === "id" && !value.includes("\0")) this.#id = value;
      else if (name === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
      if (line) continue;
      this.id = this.#id;
      if (this.#data.length) onEvent(this.#type || "message", this.#data.join("\n"));
      this.#data = [];
      this.#type = "";
    }
  }
}

// An envelope as an item.  Its value comes last and stays text: no digit of a number is lost.
export function itemOf(type, data, asBytes) {
  let head, json;
  for (let at = 0; !head && (at = data.indexOf(',"value":', at + 1)) > 0; ) {
    try {
      head = JSON.parse(data.slice(0, at) + "}");
      json = data.slice(at + 9, -1);
    } catch {} // a header has that name
  }
  const { key, keyBase64, text, base64, ...item } = head ?? JSON.parse(data);
  const isOurs = ["message", "delete", "reset", "gap"].includes(type);
  Object.assign(item, isOurs ? { type } : { type: "message", name: type });
  if (key !== undefined || keyBase64 !== undefined)
    item.key = keyName(keyBase64 === undefined ? utf8(key) : bytesOf(keyBase64), asBytes);
  if (item.type === "message") {
    const value = json ?? text ?? bytesOf(base64);
    const isText = typeof value === "string";
    item.value = isText === !asBytes ? value : isText ? utf8(value) : new TextDecoder().decode(value);
  }
  return item;
}

// How a table names a key: by its text; what is no text, and with `bytes` each key, in base64url.
function keyName(bytes, asBytes) {
  if (asBytes) return base64url(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return "base64:" + base64url(bytes);
  }
}

export function keyField(name, asBytes) {
  if (asBytes) return ["keyBase64", name];
  return name.startsWith("base64:") ? ["keyBase64", name.slice(7)] : ["key", name];
}

// The keys that are selected (null: all), and the other fields.
export function narrowing(fields, asBytes) {
  const all = Object.entries(fields ?? {}).flatMap(([name, values]) =>
    [values ?? []].flat().map((value) => [name, String(value)]));
  const isKey = ([name]) => name === "key" || name === "keyBase64";
  const keys = all.filter(isKey).map(([name, value]) =>
    keyName(name === "key" ? utf8(value) : bytesOf(value), asBytes));
  return {
    keys: fields?.key || fields?.keyBase64 ? new Set(keys) : null,
    rest: all.filter((field) => !isKey(field)).sort(),
  };
}
