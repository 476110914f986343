"""aiohttp-sse-client: prints each event, and comes back by itself."""

import asyncio
import json
import os
import sys

from aiohttp import ClientSession, ClientTimeout
from aiohttp_sse_client.client import EventSource

# aiohttp ends every response after five minutes, and a line of more than half a megabyte.
OPTIONS = {
    "timeout": ClientTimeout(total=None, sock_read=60),
    "read_bufsize": 16 << 20,
}


async def main() -> None:
    options = {} if "SKF_DEFAULTS" in os.environ else OPTIONS
    async with ClientSession(**options) as session:
        async with EventSource(sys.argv[1], session=session) as events:
            async for event in events:
                said = {"id": event.last_event_id, "type": event.type, "data": event.data}
                print(json.dumps(said), flush=True)


asyncio.run(main())
