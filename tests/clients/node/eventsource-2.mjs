// eventsource 2: prints each event, and comes back by itself.
import EventSource from 'eventsource-2';
import { printAll } from './print.mjs';

printAll(new EventSource(process.argv[2]));
