"""The clients that lanes is measured against, each installed from PyPI in a directory of its own.

So two builds of one library can stand side by side, and a peer that does not install here is missing by itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from figures import CannotMeasureError

BUILD = Path(__file__).resolve().parents[2] / "build/bench"


@dataclass(frozen=True, slots=True)
class Peer:
    """A client of client.py, how pip gets its packages, and the bound of lanes' CPU time over its own.

    same_libcurl: it must run on the libcurl that lanes runs on, or the comparison is not the one it is named after.
    """

    name: str
    client: str
    title: str
    pip: str
    packages: tuple[str, ...]
    bound: float
    same_libcurl: bool = False

    def install(self) -> Path:
        """The directory with the packages; they stay there until `make clean`."""
        place = BUILD / str(sysconfig.get_config_var("SOABI")) / self.name
        if place.exists():
            return place
        beside = place.with_name(f"{self.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(beside), self.pip, *self.packages],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        )
        if done.returncode:
            raise CannotMeasureError(f"pip could not install {' and '.join(self.packages)}: {last_error(done.stderr)}")
        beside.rename(place)
        return place


def last_error(text: str) -> str:
    """What a command had to say in the end: its last line about an error, or its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line.lower()]
    return (errors or lines or ["it said nothing"])[-1]


PEERS = (
    Peer(
        name="pycurl-source",
        client="pycurl",
        title="pycurl CurlMulti built against the same libcurl",
        pip="--no-binary=pycurl",
        packages=("pycurl",),
        bound=0.85,
        same_libcurl=True,
    ),
    Peer(
        name="pycurl-wheel",
        client="pycurl",
        title="pycurl CurlMulti, the current wheel with a libcurl of its own",
        pip="--only-binary=:all:",
        packages=("pycurl",),
        bound=1.0,
    ),
    Peer(
        name="wreq",
        client="wreq",
        title="wreq (Rust) on asyncio",
        pip="--only-binary=:all:",
        packages=("wreq",),
        bound=0.65,
    ),
    Peer(
        name="aiohttp",
        client="aiohttp",
        title="aiohttp on uvloop",
        pip="--only-binary=:all:",
        packages=("aiohttp", "uvloop"),
        bound=1 / 5,
    ),
)
