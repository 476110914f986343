// event-source-plus: prints each event, and comes back by itself.
import { EventSourcePlus } from 'event-source-plus';

new EventSourcePlus(process.argv[2]).listen({
  onMessage: ({ id, event, data }) => console.log(JSON.stringify({ id, type: event, data })),
});
