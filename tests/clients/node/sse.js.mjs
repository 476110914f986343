// sse.js: prints each event; comes back by itself with autoReconnect.
import { pageAt, printAll } from './print.mjs';
import { SSE } from 'sse.js';

const page = await pageAt(process.argv[2]);
globalThis.XMLHttpRequest = page.XMLHttpRequest;
printAll(new SSE(process.argv[2], { autoReconnect: true, useLastEventId: true, reconnectDelay: 200 }));
