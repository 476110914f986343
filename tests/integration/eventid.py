"""The event id, written again from its description: base64url, padded, of the byte 1, the
number of partitions, then of each its number and its next offset, all zigzag varints."""

import base64
import json


def _varint(number: int) -> bytes:
    zigzag = number << 1 if number >= 0 else (-number << 1) - 1
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


def encode(offsets: dict[int, int]) -> str:
    numbers = [len(offsets), *(n for partition in sorted(offsets.items()) for n in partition)]
    return base64.urlsafe_b64encode(b"\x01" + b"".join(map(_varint, numbers))).decode()


def decode(event_id: str) -> dict[int, int]:
    """The offsets of an id in either form, with or without an etag."""
    if event_id.startswith("["):
        event_id = json.loads(event_id)[1]
    raw = base64.b64decode(event_id.split("/")[0].split("~")[0], altchars=b"-_", validate=True)
    assert raw[0] == 1, f"not an id of ours: {event_id}"
    numbers, value, shift = [], 0, 0
    for byte in raw[1:]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value >> 1 if not value & 1 else -(value >> 1) - 1)
            value, shift = 0, 0
    assert shift == 0 and len(numbers) == 1 + 2 * numbers[0], f"a broken id: {event_id}"
    return dict(zip(numbers[1::2], numbers[2::2]))


def with_key(key: bytes | None, event_id: str) -> str:
    """The form of --event-id key."""
    name = "null" if key is None else f'"{base64.urlsafe_b64encode(key).decode()}"'
    return f'[{name},"{event_id}"]'


def tag(event_id: str) -> str:
    """What stands for the stream's selection; empty: it selects nothing."""
    if event_id.startswith("["):
        event_id = json.loads(event_id)[1]
    return event_id.split("/")[0].partition("~")[2]
