"""One client doing one job: GET these URLs with a number of them in flight; each body is counted and checked by CRC-32.

    python client.py NAME URL REQUESTS IN_FLIGHT CPU

prints one JSON line: the versions it ran on, CPU seconds (user and system, all threads) and wall seconds over the job,
without start-up, and what it got, as (status, bytes, CRC-32, how often). Every client keeps its connections, sends no
more headers than its library wants to, and hands back (status, bytes, CRC-32) for each URL.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import NamedTuple, TypeAlias

Got: TypeAlias = tuple[int, ...]  # HTTP status, bytes, CRC-32
Body: TypeAlias = bytes | memoryview


class Client(NamedTuple):
    """A client ready for jobs (URLs and how many in flight), the versions it runs on, and that of its libcurl."""

    work: Callable[[list[str], int], Sequence[Got]]
    versions: str
    libcurl: str | None = None


def native_epoll() -> Client:
    from lanes import _core, _download

    second = 10**9

    def work(urls: list[str], in_flight: int) -> list[Got]:
        tasks: list[_core.TaskInput] = [(url, 10 * second, 30 * second, 0) for url in urls]
        records = _core.run("native-epoll", "download", tasks, in_flight)
        return [record[3] for record in records]

    libcurl = _download.libcurl_version()
    return Client(work, f"lanes on libcurl {libcurl}", libcurl)


def pycurl_multi() -> Client:
    import pycurl

    def work(urls: list[str], in_flight: int) -> list[Got]:
        got: list[Got] = []
        todo = urls[::-1]
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_MAXCONNECTS, in_flight + 16)
        free = []
        for _ in range(in_flight):
            easy = pycurl.Curl()
            easy.chunks = []
            easy.setopt(pycurl.NOSIGNAL, 1)
            easy.setopt(pycurl.CONNECTTIMEOUT_MS, 10_000)
            # What is in C needs no frame of Python's: nothing takes a body faster.
            easy.setopt(pycurl.WRITEFUNCTION, easy.chunks.append)
            free.append(easy)
        while len(got) < len(urls):
            while free and todo:
                easy = free.pop()
                easy.setopt(pycurl.URL, todo.pop())
                multi.add_handle(easy)
            multi.perform()
            more = 1
            while more:
                more, good, bad = multi.info_read()
                if bad:
                    raise RuntimeError(f"{bad[0][1:]}")
                for easy in good:
                    size = crc = 0
                    for chunk in easy.chunks:
                        size += len(chunk)
                        crc = zlib.crc32(chunk, crc)
                    easy.chunks.clear()
                    got.append((easy.getinfo(pycurl.RESPONSE_CODE), size, crc))
                    multi.remove_handle(easy)
                    free.append(easy)
            if len(got) < len(urls) and not (free and todo):
                multi.select(1.0)
        return got

    libcurl: str = pycurl.version_info()[1]
    return Client(work, f"pycurl {version('pycurl')} on libcurl {libcurl}", libcurl)


def wreq_asyncio() -> Client:
    import wreq

    async def main(urls: list[str], in_flight: int) -> list[Got]:
        client = wreq.Client()

        async def get(url: str) -> tuple[int, Body]:
            response = await client.get(url)
            return response.status.as_int(), await response.bytes()

        return await in_turn(urls, in_flight, get)

    return Client(lambda *job: asyncio.run(main(*job)), f"wreq {version('wreq')}")


def aiohttp_uvloop() -> Client:
    import aiohttp
    import uvloop

    async def main(urls: list[str], in_flight: int) -> list[Got]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def get(url: str) -> tuple[int, Body]:
                async with session.get(url) as response:
                    return response.status, await response.read()

            return await in_turn(urls, in_flight, get)

    versions = f"aiohttp {version('aiohttp')} on uvloop {version('uvloop')}"
    return Client(lambda *job: uvloop.run(main(*job)), versions)


async def in_turn(urls: list[str], in_flight: int, get: Callable[[str], Awaitable[tuple[int, Body]]]) -> list[Got]:
    got: list[Got] = []
    left = iter(urls)

    async def worker() -> None:
        for url in left:
            status, body = await get(url)
            got.append((status, len(body), zlib.crc32(body)))

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return got


CLIENTS = {
    "native-epoll": native_epoll,
    "pycurl": pycurl_multi,
    "wreq": wreq_asyncio,
    "aiohttp": aiohttp_uvloop,
}


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(name: str, url: str, requests: str, in_flight: str, cpu: str) -> None:
    os.sched_setaffinity(0, {int(cpu)})  # before a library counts processors and starts threads
    client = CLIENTS[name]()
    client.work([url] * 200, int(in_flight))  # first use
    urls = [url] * int(requests)
    wall, used = time.perf_counter(), cpu_s()
    got = client.work(urls, int(in_flight))
    wall, used = time.perf_counter() - wall, cpu_s() - used
    told = {
        "versions": client.versions,
        "libcurl": client.libcurl,
        "cpu_s": used,
        "wall_s": wall,
        "outcomes": [[*each, count] for each, count in Counter(got).items()],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
