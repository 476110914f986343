// One HTTP/2 connection, and on it as many event streams as the server allows, up to a number.
//
// node h2-streams.js URL CA NUMBER
//
// Prints a line of JSON with what is allowed, and one for each stream whose first bytes have come.
'use strict';
const http2 = require('http2');

const [url, ca, number] = process.argv.slice(2);
const { origin, pathname, search } = new URL(url);
const session = http2.connect(origin, { ca: require('fs').readFileSync(ca) });
const say = (what) => console.log(JSON.stringify(what));
let open = 0;

session.on('error', (error) => say({ error: String(error) }));
session.once('remoteSettings', ({ maxConcurrentStreams: allowed }) => {
  say({ allowed });
  for (let n = 0; n < Math.min(allowed, number); n++) {
    const stream = session.request({ ':path': pathname + search, accept: 'text/event-stream' });
    stream.once('data', () => say({ open: ++open }));
  }
});
