"""An answer as a script: the steps a connection takes one after another, with nothing known of connections.

A step is bytes to send, a pause in seconds, or the end of the connection. Whoever plays a script may stop between
any two steps and go on later; that is how one loop serves thousands of slow answers.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from http import HTTPStatus
from time import monotonic, monotonic_ns
from typing import TypeAlias

from lanes.origin.content import PIECE, body, view
from lanes.origin.plan import HEADERS, Plan

GARBAGE = b"\x00\x15\xff lanes: this is not HTTP\r\n\r\n"
_BAD_CHUNK = b"zz\r\nnot a chunk size\r\n"
_TICK_S = 0.01  # a paced body goes out in pieces of about this long
_BODILESS = (204, 304)
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class End(Enum):
    """How an answer ends its connection: in order, or with a reset once all bytes have arrived."""

    CLOSE = "close"
    RESET = "reset"


Step: TypeAlias = bytes | memoryview | float | End
Reader: TypeAlias = Callable[[int, int], memoryview]


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be answered. `headers`, lower-case names, are kept only where the plan reads them."""

    plan: Plan
    url: bytes = b""
    is_head: bool = False
    keep_alive: bool = True
    http_1_0: bool = False
    headers: Mapping[bytes, bytes] = field(default_factory=dict)


def answer(request: Request, earlier: int = 0) -> Iterator[Step]:
    """The steps that answer a request, when `earlier` requests had the same key."""
    plan = request.plan
    if plan.latency_s:
        yield from _until(monotonic() + plan.latency_s)
    if plan.fault and plan.fault_at == HEADERS:
        yield from _strike(plan.fault)
    elif plan.location:
        yield from _short(request, plan.status, [f"Location: {plan.location}"])
    elif earlier < plan.fail_first:
        yield from _short(request, plan.status, _retry_after(plan))
    else:
        yield from _content(request)


def _short(request: Request, status: int, fields: list[str]) -> Iterator[Step]:
    """An answer without a body."""
    close = request.plan.close or not request.keep_alive
    yield _head(status, [*fields, "Content-Length: 0"], close)
    if close:
        yield End.CLOSE


def _content(request: Request) -> Iterator[Step]:
    """The answer with the body, whole or in part, at its pace, up to its fault."""
    plan = request.plan
    read, length = _source(plan)
    status, start, stop, fields = _select(request, length)
    chunked = bool(plan.chunk) and not request.http_1_0 and status not in _BODILESS
    announced = plan.close or not request.keep_alive or plan.length == "none" or (bool(plan.chunk) and request.http_1_0)
    if chunked:
        fields.append("Transfer-Encoding: chunked")
    elif status not in _BODILESS and not (plan.chunk and request.http_1_0):
        fields += _stated(plan.length, stop - start)
    # What is due stays here until something must be sent, so that a small answer is one write.
    due = _head(status, fields, announced)
    end = start if request.is_head else min(stop, start + plan.fault_at) if plan.fault else stop
    piece = plan.chunk or (max(1, min(PIECE, int(plan.rate * _TICK_S))) if plan.rate else PIECE)
    begun, at = monotonic(), start
    while at < end:
        count = min(piece, end - at)
        # A paced piece is sent when its last byte is due, so the whole body takes size / rate; one that is late,
        # behind a slow reader, goes at once and the rate evens out.
        when = begun + (at - start + count) / plan.rate if plan.rate else begun
        if plan.chunk_s and at > start:
            when = max(when, monotonic() + plan.chunk_s)
        if when > monotonic():
            if due:
                yield due
                due = b""
            yield from _until(when)
        part = read(at, count)
        if chunked:
            yield b"".join((due, b"%x\r\n" % count, part, b"\r\n"))
        else:
            yield due + part if due else part
        due = b""
        at += count
    if plan.fault:
        if due:
            yield due
        yield from _strike(plan.fault)
        return
    if chunked and not request.is_head:
        due += b"0\r\n\r\n"
    if due:
        yield due
    if announced or plan.length not in ("true", str(stop - start)):
        yield End.CLOSE


def _select(request: Request, length: int) -> tuple[int, int, int, list[str]]:
    """Status, first and past-last byte of what to send, and the fields that say so."""
    plan = request.plan
    if plan.message is not None:
        return plan.status, 0, length, ["Content-Type: text/plain; charset=utf-8"]
    # With fail_first, status and retry_after belong to the failures, which are over.
    status = 200 if plan.fail_first else plan.status
    fields = ["Content-Type: application/octet-stream"]
    if not plan.fail_first:
        fields += _retry_after(plan)
    if plan.gzip:
        fields.append("Content-Encoding: gzip")
    tag = f'"{plan.size:x}-{plan.seed:x}"' if plan.etag == "on" else f'"{monotonic_ns():x}"'
    if plan.etag:
        fields.append(f"ETag: {tag}")
        known = request.headers.get(b"if-none-match", b"").decode("latin-1")
        if status == 200 and (known == "*" or tag in [one.strip().removeprefix("W/") for one in known.split(",")]):
            return 304, 0, 0, fields
    if plan.ranges:
        fields.append("Accept-Ranges: none" if plan.ranges == "off" else "Accept-Ranges: bytes")
    condition = request.headers.get(b"if-range")
    matches = condition is None or (bool(plan.etag) and condition.decode("latin-1") == tag)
    asked = _byte_range(request.headers.get(b"range", b"").decode("latin-1"), length)
    if asked and plan.ranges in ("on", "lie") and status == 200 and matches and not request.is_head:
        start, stop = asked
        if start >= stop:
            return 416, 0, 0, [*fields, f"Content-Range: bytes */{length}"]
        lie = 1 if plan.ranges == "lie" else 0
        return 206, start, stop, [*fields, f"Content-Range: bytes {start + lie}-{stop - 1 + lie}/{length}"]
    if status in _BODILESS:
        return status, 0, 0, fields
    return status, 0, length, fields


def _byte_range(text: str, length: int) -> tuple[int, int] | None:
    """The one range asked for, empty when it lies outside the body; None when there is none that we serve."""
    unit, _, spec = text.partition("=")
    first, dash, last = (part.strip() for part in spec.partition("-"))
    digits = first + last
    if unit.strip() != "bytes" or not dash or not (digits.isascii() and digits.isdigit()) or len(digits) > 40:
        return None
    if not first:
        return max(0, length - int(last)), length
    if last and int(last) < int(first):
        return None
    return int(first), min(length, int(last) + 1) if last else length


def _stated(kind: str, length: int) -> list[str]:
    """What the head says of the body's length."""
    true, more = str(length), str(length + 1)
    stated = {"true": [true], "wrong": [more], "none": [], "dup": [true, more]}.get(kind, [kind])
    return [f"Content-Length: {one}" for one in stated]


def _retry_after(plan: Plan) -> list[str]:
    return [f"Retry-After: {plan.retry_after}"] if plan.retry_after else []


def _head(status: int, fields: list[str], close: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Status')}", *fields]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _source(plan: Plan) -> tuple[Reader, int]:
    """How to read any part of what the plan sends, and how long it is."""
    if plan.message is None and plan.gzip != "on":
        return lambda at, count: view(plan.seed + at, count), plan.size
    whole = memoryview(_zipped(plan.size, plan.seed) if plan.message is None else plan.message)
    return lambda at, count: whole[at : at + count], len(whole)


@lru_cache(maxsize=8)
def _zipped(size: int, seed: int) -> bytes:
    # Random bytes do not shrink, so the least effort is as good as any.
    packer = zlib.compressobj(level=1, wbits=31)
    return packer.compress(body(size, seed)) + packer.flush()


def _until(when: float) -> Iterator[float]:
    """Pauses up to that time. A loop may wake a little early; an answer never comes early."""
    while (left := when - monotonic()) > 0:
        yield left


def _strike(fault: str) -> Iterator[Step]:
    """A fault, at its place."""
    while fault == "stall":
        yield 3600.0
    if fault == "garbage":
        yield GARBAGE
    elif fault == "badchunk":
        yield _BAD_CHUNK
    yield End.RESET if fault == "rst" else End.CLOSE
