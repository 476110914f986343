#!/usr/bin/env node
// Prints the data of each message of an event stream, and comes back by itself when it breaks:
//     npm install --prefix build/npm eventsource@2 && node tests/sse-cat.js http://localhost:8080/events
const EventSource = require('../build/npm/node_modules/eventsource');

const source = new EventSource(process.argv[2]);
source.onmessage = (message) => console.log(message.data);
source.onerror = (error) => console.error(error.message ?? 'the stream has ended, coming back');
