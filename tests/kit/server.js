// A server that answers as it is told, for what a real one rarely does.
import http from "node:http";
import { once } from "node:events";

export const STREAM = { "content-type": "text/event-stream;charset=utf-8" };

const line = (name, text) => `${name}:${text}\n`;

// One event, as the responder writes it with ?data=envelope.
export function event(offset, key, value, { type = "", keyBase64, ...more } = {}) {
  const head = { topic: "t", partition: 0, offset, timestamp: 1000 + offset };
  const named = keyBase64 ? { ...head, keyBase64 } : key === undefined ? head : { ...head, key };
  const data = JSON.stringify({ ...named, ...more });
  const whole = value === undefined ? data : `${data.slice(0, -1)},"value":${value}}`;
  return line("id", `id-${offset + 1}`) + (type && line("event", type)) + line("data", whole) + "\n";
}

export const remove = (offset, key) => event(offset, key, undefined, { type: "delete", deleted: true });
export const keepalive = (id) => `id:${id}\nevent:keepalive\ndata:{}\n\n`;
export const START = "retry:50\n:\n";
export const CHALLENGE =
  'event:challenge\ndata:{"method":"POST","headers":{"content-type":"application/x-challenge-response"}}\n\n';

export function problem(status, reason, headers = {}) {
  const body = JSON.stringify({ status, reason, detail: `detail of ${reason}` });
  return { status, headers: { "content-type": "application/problem+json", ...headers }, body };
}

// answers: what the server does with each request, the last one for all that follow:
// { status, headers, body, open } or a function (request, response, text) that does as it likes.
export async function serve(...answers) {
  const requests = [];
  const streams = new Set();
  const server = http.createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const { pathname, searchParams } = new URL(request.url, "http://server");
    requests.push({ method: request.method, path: pathname, query: searchParams, headers: request.headers, text });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (typeof answer === "function") return answer(request, response, text);
    const { status = 200, headers = STREAM, body = "", open = status === 200 } = answer;
    response.writeHead(status, headers);
    response.write(body);
    if (!open) return response.end();
    streams.add(response);
    response.on("close", () => streams.delete(response));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}/events`,
    requests,
    streams,
    push: (text) => streams.forEach((stream) => stream.write(text)),
    cut: () => streams.forEach((stream) => stream.end()),
    break: () => server.closeAllConnections(),
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
