// @microsoft/fetch-event-source: prints each event; comes back after a clean end only if onclose throws.
import { fetchEventSource } from '@microsoft/fetch-event-source';

// It is made for browsers.
globalThis.window = globalThis;
globalThis.document = new EventTarget();

const options = {
  onclose() {
    throw new Error('the stream has ended');
  },
  onerror(error) {
    console.error(error.message);
  },
};
await fetchEventSource(process.argv[2], {
  openWhenHidden: true,
  onmessage: ({ id, event, data }) => console.log(JSON.stringify({ id, type: event, data })),
  ...('SKF_DEFAULTS' in process.env ? {} : options),
});
console.error('it is done');
