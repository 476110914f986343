"""sseclient-py: prints each event. It reads one response; to come back is the program's part."""

import json
import sys
import time

import requests
import sseclient

headers = {"Accept": "text/event-stream"}
while True:
    try:
        # The second is the read time-out: longer than the responders' --keepalive.
        response = requests.get(sys.argv[1], headers=headers, stream=True, timeout=(10, 60))
        response.raise_for_status()
        for event in sseclient.SSEClient(response).events():
            said = {"id": event.id, "type": event.event, "data": event.data}
            print(json.dumps(said), flush=True)
            if event.id:
                headers["Last-Event-ID"] = event.id
    except requests.RequestException as error:
        print(error, file=sys.stderr)
    time.sleep(0.2)
