"""What a URL asks of the origin: its query, read once and checked. The vocabulary stands in `lanes.origin`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

HEADERS = -1
"""The place of a fault that strikes before the first byte."""

LARGEST_BODY = 2**40
_LARGEST_CHUNK = 256 * 1024
_LARGEST_GZIP = 16 * 2**20
_DAY_MS = 86_400_000.0
_REFUSED_SCHEMES = {"file": "file:///etc/hostname", "ftp": "ftp://127.0.0.1/"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How to answer one URL. `message`, where there is one, stands in the place of the body."""

    size: int = 0
    seed: int = 0
    latency_s: float = 0.0
    rate: int = 0
    chunk: int = 0
    chunk_s: float = 0.0
    status: int = 200
    retry_after: str = ""
    length: str = "true"
    fault: str = ""
    fault_at: int = HEADERS
    gzip: str = ""
    location: str = ""
    fail_first: int = 0
    key: str = ""
    etag: str = ""
    ranges: str = ""
    close: bool = False
    message: bytes | None = None

    @property
    def reads_headers(self) -> bool:
        """Whether the answer depends on what stands in the request besides its URL."""
        return bool(self.etag or self.ranges)

    @property
    def constant(self) -> bool:
        """Whether every GET that keeps its connection gets the same bytes, all at once."""
        return not (
            self.latency_s
            or self.rate
            or self.chunk
            or self.fault
            or self.fail_first
            or self.close
            or self.length != "true"
            or self.reads_headers
        )


def refusal(status: int, why: str) -> Plan:
    """The plan to answer with a status and one line of text."""
    return Plan(status=status, message=f"{why}\n".encode())


def plan_of(url: str) -> Plan:
    """Read a request's URL. Raises ValueError with one line that says what is wrong and what is allowed."""
    parts = urlsplit(url)
    query = _Query(parts.query)
    size = query.whole("size", 0, most=LARGEST_BODY)
    status = query.whole("status", 0, least=200, most=599)
    fail_first = query.whole("fail_first", 0)
    redirect = query.text("redirect")
    location = _location(redirect, parts.path, query.pairs) if redirect else ""
    chunk = query.whole("chunk", 0, least=1, most=_LARGEST_CHUNK)
    if query.flag("badchunk"):
        query.faults.append(("badchunk", size // 2))
        chunk = chunk or _LARGEST_CHUNK
    for fault in ("cut", "rst", "stall"):
        query.fault(fault)
    for fault in ("garbage", "empty"):
        if query.flag(fault):
            query.faults.append((fault, HEADERS))
    fault, fault_at = query.faults[0] if query.faults else ("", HEADERS)
    plan = Plan(
        size=size,
        seed=query.whole("seed", 0),
        latency_s=query.milliseconds("ms"),
        rate=query.whole("rate", 0, least=1),
        chunk=chunk,
        chunk_s=query.milliseconds("chunk_ms"),
        status=status or (302 if location else 503 if fail_first else 200),
        retry_after=query.text("retry_after"),
        length=query.length("cl"),
        fault=fault,
        fault_at=fault_at,
        gzip=query.choice("gzip", ("on", "bad")),
        location=location,
        fail_first=fail_first,
        key=query.text("key"),
        etag=query.choice("etag", ("on", "change")),
        ranges=query.choice("ranges", ("on", "off", "lie")),
        close=query.flag("close"),
    )
    query.end()
    _check(plan, query)
    return plan


def _check(plan: Plan, query: _Query) -> None:
    """Refuse what contradicts itself, rather than leave a part of it out."""
    for wrong, why in (
        (len(query.faults) > 1, "only one of " + ", ".join(name for name, _ in query.faults) + " at a time"),
        (plan.fault_at > plan.size and not plan.gzip, f"{plan.fault} must not be beyond size"),
        (plan.chunk and plan.length != "true", "cl does not go with chunk or badchunk"),
        (plan.chunk_s and not plan.chunk, "chunk_ms needs chunk"),
        (plan.key and not plan.fail_first, "key needs fail_first"),
        (plan.fail_first and plan.location, "redirect does not go with fail_first"),
        (plan.location and not 300 <= plan.status <= 399, "status of a redirect must be 300 to 399"),
        (plan.gzip and plan.size > _LARGEST_GZIP, f"gzip takes a size of at most {_LARGEST_GZIP}"),
    ):
        if wrong:
            raise ValueError(why)


def _location(redirect: str, path: str, pairs: dict[str, str]) -> str:
    """Where a redirect leads: one hop nearer to the plain answer, to itself, or out of HTTP."""
    if redirect in _REFUSED_SCHEMES:
        return _REFUSED_SCHEMES[redirect]
    if redirect == "loop":
        hop = pairs
    elif redirect.isascii() and redirect.isdigit() and 1 <= int(redirect) <= 1000:
        left = int(redirect) - 1
        last = {name: value for name, value in pairs.items() if name not in ("redirect", "status")}
        hop = {**pairs, "redirect": str(left)} if left else last
    else:
        raise ValueError(f"redirect must be 1 to 1000, loop, {' or '.join(_REFUSED_SCHEMES)}, not {redirect!r}")
    return f"{path or '/'}?{urlencode(hop)}"


class _Query:
    """The parameters of a URL, each taken by its kind; what nobody takes is unknown."""

    def __init__(self, text: str) -> None:
        self.pairs: dict[str, str] = {}
        self.faults: list[tuple[str, int]] = []
        self._known: list[str] = []
        for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=100):
            if name in self.pairs:
                raise ValueError(f"{name} is given twice")
            self.pairs[name] = value

    def end(self) -> None:
        for name in self.pairs:
            if name not in self._known:
                raise ValueError(f"unknown parameter {name!r}; known are {', '.join(sorted(self._known))}")

    def text(self, name: str) -> str:
        """Text fit to stand in a header."""
        self._known.append(name)
        text = self.pairs.get(name, "")
        if not (text.isascii() and text.isprintable()) or (name in self.pairs and not text):
            raise ValueError(f"{name} must be printable ASCII, not {text!r}")
        return text

    def whole(self, name: str, default: int, *, least: int = 0, most: int = 2**63) -> int:
        self._known.append(name)
        if name not in self.pairs:
            return default
        text = self.pairs[name]
        if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
            raise ValueError(f"{name} must be a whole number from {least} to {most}, not {text[:80]!r}")
        return int(text)

    def milliseconds(self, name: str) -> float:
        """A time in milliseconds, as seconds."""
        self._known.append(name)
        text = self.pairs.get(name, "0")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0.0 <= value <= _DAY_MS:
            raise ValueError(f"{name} must be a number of milliseconds from 0 to a day, not {text[:80]!r}")
        return value / 1000

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of the words allowed, the first when the name stands alone, "" when it is not there."""
        self._known.append(name)
        if name not in self.pairs:
            return ""
        text = self.pairs[name] or allowed[0]
        if text not in allowed:
            raise ValueError(f"{name} must be {' or '.join(allowed)}, not {text[:80]!r}")
        return text

    def flag(self, name: str) -> bool:
        return self.choice(name, ("1",)) == "1"

    def length(self, name: str) -> str:
        """What to say of the body's length: a word, or the number to state."""
        self._known.append(name)
        text = self.pairs.get(name, "true")
        if text not in ("true", "wrong", "none", "dup") and not re.fullmatch("-?[0-9]{1,40}", text):
            raise ValueError(f"{name} must be true, wrong, none, dup or a whole number, not {text[:80]!r}")
        return text

    def fault(self, name: str) -> None:
        """A fault and the byte of the body where it strikes, or "headers"."""
        if self.pairs.get(name) == "headers":
            self._known.append(name)
            self.faults.append((name, HEADERS))
            return
        at = self.whole(name, HEADERS, most=LARGEST_BODY)
        if at != HEADERS:
            self.faults.append((name, at))
