// undici's EventSource, which is Node's own: prints each event, and comes back by itself.
import { EventSource } from 'undici';
import { printAll } from './print.mjs';

printAll(new EventSource(process.argv[2]));
// Its timer does not keep the process alive while it waits to come back.
setInterval(() => {}, 1000);
