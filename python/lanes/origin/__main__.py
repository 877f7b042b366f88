"""The origin as a child process: prints its port once it listens and ends with its parent."""

from __future__ import annotations

import argparse
import sys

from lanes.origin.server import serve


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m lanes.origin", description=__doc__)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--loop", choices=("auto", "uvloop", "asyncio"), default="auto")
    chosen = options.parse_args()
    try:
        serve(
            chosen.host,
            chosen.port,
            announce=lambda port: print(port, flush=True),
            loop=chosen.loop,
            with_parent=True,
        )
    except OSError as error:
        print(error.strerror or error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
