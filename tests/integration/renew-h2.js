// One HTTP/2 connection: an event stream, and on it the answers to its challenges.
//
// node renew-h2.js URL CA TOKEN...   URL with its token; each challenge is answered with the next
//
// Prints a line of JSON for each thing that happens.
'use strict';
const http2 = require('http2');

const [url, ca, ...tokens] = process.argv.slice(2);
const { origin, pathname, search } = new URL(url);
const session = http2.connect(origin, { ca: require('fs').readFileSync(ca) });
const say = (what) => console.log(JSON.stringify(what));

session.on('error', (error) => say({ error: String(error) }));
session.on('close', () => say({ session: 'closed' }));

function renew(token) {
  const renewal = session.request({
    ':method': 'POST',
    ':path': pathname + search,
    'content-type': 'application/x-challenge-response',
    'content-length': 0,
    authorization: `Bearer ${token}`,
  });
  renewal.on('response', (headers) => say({ renewal: headers[':status'] }));
  renewal.end();
}

const stream = session.request({ ':path': pathname + search, accept: 'text/event-stream' });
let text = '';
stream.setEncoding('utf8');
stream.on('response', (headers) => say({ status: headers[':status'] }));
stream.on('data', (chunk) => {
  text += chunk;
  for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
    // The opening's retry: and comments have no blank line of their own behind them.
    const event = text.slice(0, end).replace(/^(retry:|:).*\n/gm, '');
    say({ event, at: Date.now() / 1000 });
    if (event.startsWith('event:challenge') && tokens.length > 0) renew(tokens.shift());
  }
});
stream.on('close', () => {
  say({ end: stream.rstCode, at: Date.now() / 1000 });
  session.ping((error) => { // still there?
    say({ ping: error ? String(error) : 'answered' });
    session.close();
  });
});
