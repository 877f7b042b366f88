"""The benchmark's machinery: what it measures, tells and writes. No test here asks how fast anything is."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from lanes.origin import Origin, crc32

BENCH = Path(__file__).with_name("bench")
sys.path.insert(0, str(BENCH))

import figures  # noqa: E402
import nginx  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
from figures import CannotMeasureError, Figure, Meter, Pair, Result, Target  # noqa: E402

MACHINE = {
    "python": "3.11.7",
    "gil": True,
    "libcurl": "7.88.1",
    "cpu": "Some CPU",
    "processors_usable": 2,
    "processors": 4,
    "system": "Linux",
    "kernel": "6.1",
    "load_before": 0.123,
}
AT_MOST_HALF = Target(0.5)


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def figure(name: str, *pairs: Pair | Exception, log: list[str] | None = None, target: Target = AT_MOST_HALF) -> Figure:
    """A figure that gives these pairs in turn; an exception in their place is raised, the first while setting up."""
    given = iter(pairs)
    log = [] if log is None else log

    def sample() -> Pair:
        pair = next(given)
        if isinstance(pair, Exception):
            raise pair
        return pair

    @contextmanager
    def opened() -> Iterator[Meter]:
        if isinstance(pairs[0], Exception):
            raise pairs[0]
        log.append(f"open {name}")
        yield Meter(sample, f"note on {name}")
        log.append(f"close {name}")

    return Figure(name, "ours", "theirs", "ms", target, opened)


def test_it_measures_and_writes_what_it_measured(tmp_path: Path) -> None:
    done = bench("--only", "dispatch,start", "--rounds", 1, "--json", tmp_path / "figures.json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert f"JSON: {tmp_path / 'figures.json'}" in done.stdout
    document = json.loads((tmp_path / "figures.json").read_text())
    assert document["schema"] == 1
    assert document["rounds"] == 1
    assert document["machine"]["libcurl"]
    assert [each["name"] for each in document["figures"]] == ["dispatch", "start"]
    for each in document["figures"]:
        [ratio] = each["ratio"]["samples"]
        assert ratio == each["ratio"]["median"] == each["ratio"]["min"] == each["ratio"]["max"] > 0
        assert ratio == pytest.approx(each["lanes_samples"][0] / each["other_samples"][0])
        assert each["reached"] is (ratio <= each["target"]["at_most"])
        assert each["reason"] is None
        assert each["name"] in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only", "dispatch,speed"), "there is no figure 'speed': choose from dispatch, start, bridge/wait, "),
        (("--rounds", "0"), "argument --rounds: invalid at_least_one value: '0'"),
        (("--json", "/no/such/place"), "cannot write /no/such/place: there is no directory /no/such"),
    ],
)
def test_bad_options_are_named(arguments: tuple[str, ...], words: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_name_selects_a_figure_or_all_of_its_kind() -> None:
    all_of_them = [figure(name, Pair(1, 1)) for name in ("start", "engine/a", "engine/b")]
    assert [each.name for each in figures.select(all_of_them, ["engine", "start"])] == ["start", "engine/a", "engine/b"]
    assert [each.name for each in figures.select(all_of_them, ["engine/b"])] == ["engine/b"]


def test_every_figure_is_measured_once_a_round_and_closed() -> None:
    log: list[str] = []
    told: list[str] = []
    first, second = figures.measure(
        [
            figure("a", Pair(1, 4), Pair(2, 4), Pair(3, 4), log=log),
            figure("b", Pair(9, 3), Pair(6, 3), Pair(6, 3), log=log, target=Target(2.0, at_most=False)),
        ],
        3,
        told.append,
    )
    assert first.ratios == (0.25, 0.5, 0.75)
    assert first.value == 0.5
    assert second.ratios == (3.0, 2.0, 2.0)
    assert [first.is_reached, second.is_reached] == [True, True]
    assert second.note == "note on b"
    assert log == ["open a", "open b", "close b", "close a"]
    assert told[:2] == ["a: setting up", "b: setting up"]
    assert sorted(told[2:4]) == ["round 1 of 3: a", "round 1 of 3: b"]


def test_what_cannot_be_measured_says_why_and_stops_nothing_else() -> None:
    log: list[str] = []
    missing, broken, good = figures.measure(
        [
            figure("missing", CannotMeasureError("pip\n said no")),
            figure("broken", Pair(1, 9), ZeroDivisionError("by\nzero"), log=log),
            figure("good", Pair(1, 1), Pair(1, 1)),
        ],
        2,
        lambda _: None,
    )
    assert missing.reason == "pip said no"
    assert broken.reason == "ZeroDivisionError: by zero"
    assert log == ["open broken", "close broken"]
    assert good.ratios == (1.0, 1.0)
    assert [missing.is_reached, broken.is_reached, good.is_reached] == [None, None, False]


def test_both_orders_of_a_pair_occur_and_results_keep_theirs() -> None:
    log: list[str] = []

    def call(name: str, value: float) -> float:
        log.append(name)
        return value

    for _ in range(64):
        assert [*figures.in_any_order(lambda: call("a", 1.0), lambda: call("b", 2.0))] == [1.0, 2.0]
    assert {*zip(log[::2], log[1::2], strict=True)} == {("a", "b"), ("b", "a")}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.031234, "0.0312"), (0.0999, "0.0999"), (0.21251, "0.213"), (1.0512, "1.05"), (14.62, "14.6"), (1234, "1,234")],
)
def test_numbers_have_three_digits(value: float, shown: str) -> None:
    assert report.number(value) == shown


def test_the_table_fits_80_columns_and_tells_all() -> None:
    results = [
        Result(figure("engine/pycurl-source", Pair(1, 1)), (Pair(0.02345, 0.02512),) * 3, "lanes 1 against pycurl 2"),
        Result(figure("start", Pair(1, 1)), (Pair(0.001, 0.01), Pair(0.002, 0.01), Pair(0.003, 0.01))),
        Result(figure("engine/wreq", Pair(1, 1)), reason="pip could not install wreq"),
    ]
    console = Console(file=io.StringIO(), width=80, no_color=True)
    with console.capture() as captured:
        report.show(results, MACHINE, 3, console)
    lines = [" ".join(line.split()) for line in captured.get().splitlines()]
    assert (
        lines[0] == "Python 3.11.7, libcurl 7.88.1, Some CPU, 2 of 4 processors, Linux 6.1; load before 0.12; rounds: 3"
    )
    assert "engine/pycurl-source <= 0.50 0.934 0.934 - 0.934 23.4 : 25.1 ms NO" in lines
    assert "start <= 0.50 0.200 0.100 - 0.300 2.00 : 10.0 ms yes" in lines
    assert "engine/wreq <= 0.50 - - - unknown" in lines
    assert "engine/pycurl-source: ours, against theirs (lanes 1 against pycurl 2)" in lines
    assert "engine/wreq could not be measured: pip could not install wreq" in lines


def test_json_has_no_number_where_there_is_none() -> None:
    document = report.document([Result(figure("a", Pair(1, 1)), reason="no")], MACHINE, 3)
    [only] = json.loads(json.dumps(document, allow_nan=False))["figures"]
    assert only["ratio"] == {"samples": [], "median": None, "min": None, "max": None}
    assert only["reached"] is None
    assert only["reason"] == "no"


def test_a_peer_that_pip_cannot_install_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "BUILD", tmp_path)
    peer = peers.Peer("none", "none", "none", "--no-index", ("lanes-has-no-such-peer",), 1.0)
    with pytest.raises(
        CannotMeasureError, match=r"pip could not install lanes-has-no-such-peer: ERROR: .*no-such-peer"
    ):
        peer.install()
    assert not list(tmp_path.rglob("none"))


@pytest.mark.parametrize("name", ["native-epoll", "aiohttp"])
def test_a_client_hands_back_what_it_got(name: str) -> None:
    with Origin() as origin:
        cpu = min(os.sched_getaffinity(0))
        url = origin.url(size=1024, seed=5)
        command = [sys.executable, "-P", str(BENCH / "client.py"), name, url, "100", "8", str(cpu)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        served = origin.load().requests
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["outcomes"] == [[200, 1024, crc32(1024, 5), 100]]
    assert told["cpu_s"] > 0
    assert served == 300  # 200 of them to warm up


@pytest.mark.skipif(shutil.which("nginx", path=nginx.PATH) is None, reason="needs nginx")
def test_nginx_serves_until_the_end_of_it() -> None:
    cpu = min(os.sched_getaffinity(0))
    with nginx.serving(b"x" * 1024, cpu) as url, urllib.request.urlopen(url, timeout=10) as response:
        assert response.read() == b"x" * 1024
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=10)
