"""What a small request costs a client: CPU time per 1 KiB over kept connections, against the fastest clients there are.

Client and nginx have a processor each. A sample is one client process that does the whole job; all do the same job,
and what they got is compared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from figures import CannotMeasureError, Figure, Meter, Pair, Target, in_any_order
from nginx import serving
from peers import PEERS, Peer, last_error

BODY = bytes(range(256)) * 4
REQUESTS, IN_FLIGHT = 20_000, 64
CLIENT = Path(__file__).with_name("client.py")


@dataclass(frozen=True, slots=True)
class Report:
    """What one client process tells: which libraries it ran on, and the CPU seconds of one request."""

    versions: str
    libcurl: str | None
    cpu_s: float


def ask(client: str, url: str, requests: int, cpu: int, packages: Path | None = None) -> Report:
    """Have a client do the job on this processor, and check what it got."""
    # Loopback only, whatever proxy the environment names.
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    paths = [str(packages) if packages else "", environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(
        [sys.executable, "-P", str(CLIENT), client, url, str(requests), str(IN_FLIGHT), str(cpu)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    if done.returncode:
        raise CannotMeasureError(f"{client} failed: {last_error(done.stderr)}")
    told = json.loads(done.stdout)
    expected = [[200, len(BODY), zlib.crc32(BODY), requests]]
    if told["outcomes"] != expected:
        raise CannotMeasureError(f"outcomes differ: {client} got {told['outcomes'][:3]}, not {expected}")
    return Report(told["versions"], told["libcurl"], told["cpu_s"] / requests)


def against(peer: Peer) -> Callable[[], AbstractContextManager[Meter]]:
    @contextmanager
    def opened() -> Iterator[Meter]:
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            raise CannotMeasureError("client and nginx need a processor each, and this process may use one")
        packages = peer.install()
        with serving(BODY, cpus[0]) as url:

            def ours(requests: int = REQUESTS) -> Report:
                return ask("native-epoll", url, requests, cpus[1])

            def theirs(requests: int = REQUESTS) -> Report:
                return ask(peer.client, url, requests, cpus[1], packages)

            first, other = ours(IN_FLIGHT), theirs(IN_FLIGHT)
            if peer.same_libcurl and other.libcurl != first.libcurl:
                raise CannotMeasureError(f"it runs on libcurl {other.libcurl} and lanes on {first.libcurl}")
            calls = (lambda: ours().cpu_s, lambda: theirs().cpu_s)
            yield Meter(lambda: Pair(*in_any_order(*calls)), f"{first.versions} against {other.versions}")

    return opened


FIGURES = tuple(
    Figure(
        name=f"engine/{peer.name}",
        lanes="client CPU time per 1 KiB request on native-epoll, 64 in flight",
        other=peer.title,
        unit="us",
        target=Target(peer.bound),
        open=against(peer),
    )
    for peer in PEERS
)
