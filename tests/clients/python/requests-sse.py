"""requests-sse: prints each event, and comes back by itself."""

import json
import sys

from requests_sse import EventSource

# The read time-out: longer than the responders' --keepalive.
with EventSource(sys.argv[1], timeout=60) as events:
    for event in events:
        said = {"id": event.last_event_id, "type": event.type, "data": event.data}
        print(json.dumps(said), flush=True)
