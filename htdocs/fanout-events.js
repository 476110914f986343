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
  #decoder = new TextDecoder();
  #rest = "";
  #id = "";
  #data = [];
  #type = "";

  *push(bytes) {
    const text = this.#decoder.decode(bytes, { stream: true });
    this.#rest += text;
    if (!/[\r\n]/.test(text)) return; // a long line is looked through once
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
      if (this.#data.length) yield { type: this.#type || "message", data: this.#data.join("\n"), id: this.id };
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
export function narrowing(selection, asBytes) {
  const { key, keyBase64, ...rest } = selection ?? {};
  const list = (values) => [values ?? []].flat();
  const keys = [...list(key).map((text) => utf8(String(text))), ...list(keyBase64).map(bytesOf)];
  const fields = Object.entries(rest).flatMap(([name, values]) => list(values).map((value) => [name, value]));
  return {
    keys: (key ?? keyBase64) == null ? null : new Set(keys.map((bytes) => keyName(bytes, asBytes))),
    rest: new URLSearchParams(fields.sort()),
  };
}
