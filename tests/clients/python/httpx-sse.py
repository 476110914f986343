"""httpx-sse: prints each event. It reads one response; to come back is the program's part."""

import json
import sys
import time

import httpx
from httpx_sse import connect_sse

# httpx gives up after five seconds without a byte: longer than the responders' --keepalive.
client = httpx.Client(timeout=httpx.Timeout(10, read=60))
last_id = ""
while True:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    try:
        with connect_sse(client, "GET", sys.argv[1], headers=headers) as events:
            events.response.raise_for_status()
            for event in events.iter_sse():
                said = {"id": event.id, "type": event.event, "data": event.data}
                print(json.dumps(said), flush=True)
                last_id = event.id
    except httpx.HTTPError as error:
        print(error, file=sys.stderr)
    time.sleep(0.2)
