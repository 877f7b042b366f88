"""Functions that never come to an end, each in a way of its own; workers import them, so this module is light."""

from __future__ import annotations

import asyncio
import collections
import itertools
import multiprocessing
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

first, second = threading.Lock(), threading.Lock()
both_hold_one = threading.Barrier(2)


def deadlock(number: int) -> int:
    mine, other = (first, second) if number == 0 else (second, first)
    with mine:
        both_hold_one.wait()
        with other:
            return number


class Account:
    def __init__(self) -> None:
        self.lock = threading.RLock()


mine, yours = Account(), Account()


def deadlock_of_owners(number: int) -> None:
    one, other = (mine, yours) if number == 0 else (yours, mine)
    with one.lock:
        both_hold_one.wait()
        if number == 0:
            with other.lock:  # for ever
                pass
        other.lock.acquire()


news = threading.Condition()


def lost_wakeup(number: int) -> None:
    with news:
        news.notify_all()  # before anybody waits
    with news:
        news.wait()


orders: queue.Queue[int] = queue.Queue()


def starve(number: int) -> int:
    return orders.get()


def parent_of_hanging(number: int) -> None:
    child = multiprocessing.get_context("fork").Process(target=hang)
    child.start()
    child.join()


def forks_by_hand(number: int) -> None:
    pid = os.fork()
    if pid == 0:
        hang()
    os.waitpid(pid, 0)


def hang(number: int = 0) -> None:
    time.sleep(3600)


def joins_a_thread(number: int) -> None:
    helper = threading.Thread(target=hang, name="helper")
    helper.start()
    helper.join()


def backtrack(number: int) -> None:
    re.match(r"(a+)+$", "a" * 1000 + "b")


def hold_the_gil(number: int) -> None:
    collections.deque(itertools.repeat(0), maxlen=0)


def stop(number: int) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def deaf(number: int) -> None:
    for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(each, signal.SIG_DFL)
    hang()


def deaf_by_mask(number: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    hang()


def run_a_program(number: int) -> None:
    subprocess.run([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True, check=False)


def close_all_and_open(path: str) -> None:
    """A file of the user's gets the number of the one that is meant for answers."""
    os.closerange(3, 1024)
    opened = [os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) for _ in range(64)]
    assert opened
    hang()


def recurse(depth: int) -> None:
    if depth == 0:
        hang()
    recurse(depth - 1)


def only_the_second_time(path: str) -> None:
    """The first call, in a process of its own, goes well."""
    try:
        Path(path).touch(exist_ok=False)
    except FileExistsError:
        hang()


def hang_beside_the_main_thread(number: int) -> int:
    if threading.current_thread() is not threading.main_thread():
        hang()
    return number


def hang_on_the_main_thread(number: int) -> int:
    if threading.current_thread() is threading.main_thread():
        hang()
    return number


def semaphores_of_this_process(path: str) -> None:
    """Their names in /dev/shm, one a line, to a file; then it hangs."""
    names = re.findall(r"/dev/shm/(\S+)", Path("/proc/self/maps").read_text())
    with open(path, "a") as file:
        file.write("".join(f"{name}\n" for name in names))
    hang()


async def outer(number: int) -> int:
    return await middle(number)


async def middle(number: int) -> int:
    async for each in inner():
        return each
    return number


async def inner() -> AsyncIterator[int]:
    never = asyncio.Event()
    await never.wait()
    yield 1


async def gather(number: int) -> None:
    await asyncio.gather(asyncio.Queue[int]().get(), asyncio.sleep(3600))


def can_be_asked(number: int) -> bool:
    """Whether this process has a file of its own for answers, and handlers for both signals that it names."""
    from lanes import stacks

    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except FileNotFoundError:  # that of the listing
            continue
    found = [re.match(rf"/memfd:{stacks.NAME}-(\d+)-(\d+) ", link) for link in links]
    numbers = [list(map(int, match.groups())) for match in found if match]
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    caught = int(status["SigCgt"], 16)
    return stacks.installed() and len(numbers) == 1 and all(caught >> (number - 1) & 1 for number in numbers[0])
