// eventsource-client: prints each event, and comes back by itself.
import { createEventSource } from 'eventsource-client';

createEventSource({
  url: process.argv[2],
  onMessage: ({ id, event, data }) => console.log(JSON.stringify({ id, type: event, data })),
});
