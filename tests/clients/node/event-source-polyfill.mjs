// event-source-polyfill: prints each event, and comes back by itself, with its last id in the query.
import { pageAt, printAll } from './print.mjs';

globalThis.window = await pageAt(process.argv[2]);
globalThis.document = window.document;
const { EventSourcePolyfill } = (await import('event-source-polyfill')).default;
printAll(new EventSourcePolyfill(process.argv[2]));
