"""Answers within a process: which signals they take, whose file it is after a fork, and what they must not disturb."""

from __future__ import annotations

import pytest

from processes import script

BEGIN = """
import faulthandler, os, signal, sys, threading
from lanes import stacks

def files():
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            link = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue
        if stacks.NAME in link:
            found.append((int(fd), link, os.stat(int(fd)).st_ino))
    return found

def in_a_child(code):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, repr(code()).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as answer:
        words = answer.read()
    os.waitpid(pid, 0)
    return eval(words)
"""


def test_the_signals_are_real_time_ones_that_nobody_has() -> None:
    code = """
taken = signal.SIGRTMAX - 1
signal.signal(taken, lambda *_: None)
signal.signal(taken - 1, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {taken - 2})
before = {number: signal.getsignal(number) for number in signal.valid_signals()}
stacks.install()
((fd, link, _),) = files()
numbers = [int(each) for each in link.split()[0].split("-")[2:]]
assert not os.get_inheritable(fd)
changed = [number for number in before if signal.getsignal(number) != before[number]]
print(numbers == [taken - 3, taken - 4], changed == [taken - 3])
"""
    assert script(BEGIN + code) == "True True\n"


def test_a_forked_child_has_a_file_of_its_own_at_the_same_number() -> None:
    code = """
stacks.install()
((fd, link, inode),) = files()
((child_fd, child_link, child_inode),) = in_a_child(files)
print((fd, link) == (child_fd, child_link), inode != child_inode, files() == [(fd, link, inode)])
((_, _, grandchild),) = in_a_child(lambda: in_a_child(files))
print(grandchild not in (inode, child_inode))
"""
    assert script(BEGIN + code) == "True True True\nTrue\n"


def test_a_child_leaves_a_file_of_the_users_alone_that_has_our_number(tmp_path: object) -> None:
    code = """
stacks.install()
((fd, _, _),) = files()
os.dup2(os.open(os.devnull, os.O_RDWR), fd)
print(in_a_child(lambda: (files(), os.readlink(f"/proc/self/fd/{fd}"), stacks.installed())))
"""
    assert script(BEGIN + code) == "([], '/dev/null', False)\n"


def test_installed_again_it_takes_no_second_file() -> None:
    code = """
stacks.install()
stacks.install()
print(len(files()), in_a_child(lambda: len(files())))
"""
    assert script(BEGIN + code) == "1 1\n"


def test_another_thread_installs_nothing() -> None:
    code = """
thread = threading.Thread(target=stacks.install)
thread.start()
thread.join()
print(stacks.installed(), files())
"""
    assert script(BEGIN + code) == "False []\n"


@pytest.mark.parametrize("how", ["deep", "broken", "full"])
def test_an_answer_that_fails_is_not_seen_by_the_work(how: str) -> None:
    """At the end of the stack; where what is looked at raises; where the file takes nothing."""
    code = f"""
import resource
stacks.install()
((fd, link, _),) = files()
ask = int(link.split("-")[2])

def deep(n=0):
    try:
        deep(n + 1)
    except RecursionError:
        signal.raise_signal(ask)

class Rude(threading.Thread):
    name = native_id = property(lambda self: 1 / 0)

if {how!r} == "deep":
    deep()
elif {how!r} == "broken":
    threading._active[threading.get_ident()] = Rude.__new__(Rude)
    signal.raise_signal(ask)
else:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.raise_signal(ask)
print("well", flush=True)
os._exit(0)
"""
    assert script(BEGIN + code) == "well\n"
