"""An origin that is not ours: nginx, one worker on a processor of its own, answering with one small file."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from figures import CannotMeasureError

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
CONFIG = """
daemon off;
pid nginx.pid;
error_log stderr;
worker_processes 1;
worker_cpu_affinity {mask};
{user}
events {{
    worker_connections 8192;
}}
http {{
    access_log off;
    default_type application/octet-stream;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    open_file_cache max=16 inactive=1h;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root files;
    }}
}}
"""


@contextmanager
def serving(body: bytes, cpu: int) -> Iterator[str]:
    """nginx on this processor, until exit; the URL at which the body is."""
    program = shutil.which("nginx", path=PATH)
    if program is None:
        raise CannotMeasureError("nginx is not installed: apt-get install nginx")
    with tempfile.TemporaryDirectory(prefix="lanes-bench-") as name:
        place = Path(name)
        (place / "files").mkdir()
        (place / "files/body").write_bytes(body)
        port = free_port()
        # Started by root, the worker would become another user, who may not look into a temporary directory.
        user = "user root;" if os.geteuid() == 0 else ""
        (place / "nginx.conf").write_text(CONFIG.format(mask=f"1{'0' * cpu}", user=user, port=port))
        with (place / "errors").open("wb") as errors:
            process = subprocess.Popen(
                # It ends with us, however that comes.
                ["setpriv", "--pdeathsig", "TERM", program, "-e", "stderr", "-p", f"{place}/", "-c", "nginx.conf"],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                process_group=0,  # a Ctrl-C is for us; we end it
            )
        try:
            wait_for(process, port, place / "errors")
            yield f"http://127.0.0.1:{port}/body"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(process: subprocess.Popen[bytes], port: int, errors: Path) -> None:
    """Return once it answers."""
    until = time.monotonic() + 10
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    said = errors.read_text(errors="replace").strip().splitlines()
    raise CannotMeasureError(f"nginx did not start: {said[-1] if said else 'it does not answer'}")
