"""A download by `requests`, blocking, with one session per worker."""

from __future__ import annotations

import http.client
import os
import ssl
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy

import requests
import urllib3.exceptions as urllib3

from lanes.types import Outcome, Task
from lanes.workloads.download import HEADERS, MAX_REDIRECTS, Classes, causes, first_class

CHUNK = 65536


@contextmanager
def client(proxies: bool) -> Iterator[Callable[[Task], Outcome]]:
    """One worker's session, as the function that does a task; with the environment's proxies or none."""
    verify = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or True
    with requests.Session() as session:
        session.trust_env = proxies
        session.headers.clear()
        session.headers.update(HEADERS)
        session.max_redirects = MAX_REDIRECTS
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

        def get(task: Task) -> Outcome:
            connect_timeout_ns, read_timeout_ns, _ = task.args
            size = crc = 0
            try:
                with session.get(
                    task.text, stream=True, verify=verify, timeout=(connect_timeout_ns / 1e9, read_timeout_ns / 1e9)
                ) as response:
                    for chunk in response.raw.stream(CHUNK, decode_content=False):
                        size += len(chunk)
                        crc = zlib.crc32(chunk, crc)
            except (requests.RequestException, urllib3.HTTPError, OSError) as error:
                return Outcome("failed", error=classify(error), detail=str(error))
            return Outcome("ok", (response.status_code, size, crc))

        yield get


def classify(error: Exception) -> str:
    """The error class for what `requests` raised, or urllib3 while the body was read."""
    # urllib3 calls this a read time-out, but no connection stands before its handshake has ended.
    if "handshake operation timed out" in " ".join(map(str, causes(error))):
        return "ConnectTimeout"
    # Older releases name the end of the connection between two chunks a chunk of no size at all.
    if any(isinstance(cause, urllib3.InvalidChunkLength) and not cause.length for cause in causes(error)):
        return "PartialBody"
    return first_class(error, _CLASSES)


_CLASSES: Classes = (
    (requests.TooManyRedirects, "TooManyRedirects"),
    (requests.exceptions.InvalidSchema, "UnsafeRedirect"),  # the first URL's scheme was checked beforehand
    (requests.ConnectTimeout, "ConnectTimeout"),
    ((requests.ReadTimeout, urllib3.ReadTimeoutError), "ReadTimeout"),
    ((requests.exceptions.SSLError, urllib3.SSLError, ssl.SSLError), "TLSError"),
    (urllib3.NameResolutionError, "DNSError"),
    (urllib3.NewConnectionError, "ConnectError"),
    (urllib3.InvalidChunkLength, "ProtocolError"),
    ((ConnectionError, http.client.RemoteDisconnected), "ConnectionReset"),
    (http.client.IncompleteRead, "PartialBody"),
    (http.client.HTTPException, "ProtocolError"),
    (urllib3.ProtocolError, "PartialBody"),  # "Response ended prematurely": the only one left
)
