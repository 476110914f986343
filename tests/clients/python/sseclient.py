"""sseclient: prints each event, and comes back by itself."""

import json
import sys

import sseclient

out, sys.stdout = sys.stdout, sys.stderr  # the library prints, too
for event in sseclient.SSEClient(sys.argv[1]):
    said = {"id": event.id, "type": event.event, "data": event.data}
    print(json.dumps(said), file=out, flush=True)
