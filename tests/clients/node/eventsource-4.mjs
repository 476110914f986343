// eventsource 4: prints each event, and comes back by itself.
import { EventSource } from 'eventsource-4';
import { printAll } from './print.mjs';

printAll(new EventSource(process.argv[2]));
