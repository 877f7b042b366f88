"""The build says in one line what it lacks, and what it packs is enough to build from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support import copy_checkout

ROOT = Path(__file__).parent.parent
CC = shutil.which("cc") or "cc"
CURL = ("libcurl4-openssl-dev", "libcurl-devel", "curl-dev")

pytestmark = pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="needs a checkout")


def run(*command: str | Path, cwd: str | Path = ROOT, **env: str | Path) -> subprocess.CompletedProcess[str]:
    """Run with only these variables of the build set, and PATH."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LANES_")}
    for name in ("CC", "CFLAGS", "CURL_CONFIG", "DEBIAN_FRONTEND", "PKG_CONFIG", "PYTHON"):
        clean.pop(name, None)
    clean.update({name: str(value) for name, value in env.items()})
    return subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False, timeout=100)


def refusal(folder: Path, **env: str | Path) -> str:
    """The one line with which the build stops."""
    out = folder / "out"
    done = run(sys.executable, "setup.py", "-q", "build_ext", "-b", out, "-t", out, **env)
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    assert not out.exists()
    return lines[0]


def tool(folder: Path, name: str, script: str) -> Path:
    """A command for PATH."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def compiler_without(folder: Path, header: str) -> Path:
    """A compiler on a machine that lacks a header."""
    return tool(
        folder, "cc-without", f'source=$(cat); case $source in *{header}*) exit 1; esac; echo "$source" | {CC} "$@"'
    )


def curl_header(folder: Path, version: str) -> Path:
    """A folder to include in which libcurl has another version."""
    major, minor, patch = map(int, version.split("."))
    (folder / "curl").mkdir(parents=True)
    (folder / "curl/curl.h").write_text(f"#define LIBCURL_VERSION_NUM {major << 16 | minor << 8 | patch}\n")
    return folder


@pytest.mark.parametrize(
    ("header", "packages"),
    [
        ("Python.h", ("Python.h", "python3-dev", "python3-devel")),
        ("curl/curl.h", CURL),
        ("zlib.h", ("zlib1g-dev", "zlib-devel", "zlib-dev")),
    ],
)
def test_missing_header(tmp_path: Path, header: str, packages: tuple[str, ...]) -> None:
    line = refusal(tmp_path, CC=compiler_without(tmp_path, header))
    assert all(package in line for package in packages), line


def test_missing_compiler(tmp_path: Path) -> None:
    line = refusal(tmp_path, CC=tmp_path / "none")
    assert "C compiler" in line
    assert all(package in line for package in ("gcc and libc6-dev", "(Fedora)", "gcc and musl-dev")), line


def test_missing_libcurl(tmp_path: Path) -> None:
    line = refusal(tmp_path, PATH=tmp_path, CC=CC)
    assert "libcurl 7.85" in line
    assert "found" not in line
    assert all(package in line for package in CURL), line


def test_old_libcurl(tmp_path: Path) -> None:
    tool(tmp_path, "pkg-config", "[ $2 = --modversion ] && echo 7.80.0; exit 0")
    line = refusal(tmp_path, PATH=tmp_path, CC=CC)
    assert "(found 7.80.0)" in line
    assert all(package in line for package in CURL), line


def test_newer_libcurl_behind_an_old_one(tmp_path: Path) -> None:
    """What curl-config finds is taken when pkg-config knows only an old one: the build goes on to zlib."""
    tool(tmp_path, "pkg-config", "[ $2 = --modversion ] && echo 7.80.0; exit 0")
    curl_header(tmp_path, "8.1.2")
    tool(tmp_path, "curl-config", f"case $1 in --version) echo libcurl 8.1.2;; --cflags) echo -I{tmp_path};; esac")
    lacking = compiler_without(tmp_path, "zlib.h")
    assert "zlib" in refusal(tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}", CC=lacking)


def test_header_older_than_promised(tmp_path: Path) -> None:
    """The flags named outright come before any tool, and the header they lead to is what counts."""
    include = curl_header(tmp_path / "include", "7.84.0")
    assert "libcurl 7.85" in refusal(tmp_path, LANES_CURL_CFLAGS=f"-I{include}")


def test_sdist_and_wheel(tmp_path: Path) -> None:
    """The sdist alone builds the wheel, with the flags named outright; the wheel's extension loads."""
    tree = tmp_path / "tree"
    copy_checkout(tree)

    # No compiler, no libcurl: an sdist needs none.
    backend = "import sys; from setuptools import build_meta as b; getattr(b, sys.argv[1])(sys.argv[2])"
    done = run(sys.executable, "-c", backend, "build_sdist", tmp_path, cwd=tree, PATH=tmp_path)
    assert done.returncode == 0, done.stderr
    assert run("tar", "-xf", "gil_lanes-0.1.0.tar.gz", cwd=tmp_path).returncode == 0

    done = run(
        sys.executable,
        *("-c", backend, "build_wheel", tmp_path),
        cwd=tmp_path / "gil_lanes-0.1.0",
        PKG_CONFIG="false",
        CURL_CONFIG="false",
        LANES_CURL_LIBS="-lcurl -Wl,-rpath,/named/outright",
    )
    assert done.returncode == 0, done.stderr
    assert ": warning:" not in done.stdout + done.stderr, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "wheel")
    package = tmp_path / "wheel/lanes"
    assert [*package.glob("_core.*.so")]
    [extension] = package.glob("_download.*.so")
    assert b"/named/outright" in extension.read_bytes()
    for kind in ("*.py", "*.css", "*.html", "*.js"):
        sources = {path.relative_to(ROOT / "python/lanes") for path in (ROOT / "python/lanes").rglob(kind)}
        assert {path.relative_to(package) for path in package.rglob(kind)} == sources
        assert sources
    assert (package / "py.typed").exists()
    assert (package / "_core.pyi").exists()
    assert (package / "_download.pyi").exists()
    loaded = run(
        sys.executable,
        "-c",
        "import importlib.util as u, sys; s = u.spec_from_file_location('lanes._download', sys.argv[1]);"
        "m = u.module_from_spec(s); s.loader.exec_module(m); print(m.libcurl_version())",
        extension,
    )
    assert loaded.stdout.startswith(("7.", "8.")), loaded.stderr


@pytest.mark.parametrize("name", ["none-such", "false"])
def test_set_up_without_an_interpreter(tmp_path: Path, name: str) -> None:
    done = run(ROOT / ".ci/setup", PYTHON=name, HOME=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"there is no working {name}: set PYTHON to a CPython 3.11 or later\n"


def set_up(folder: Path, user: int) -> subprocess.CompletedProcess[str]:
    """The set-up on a Debian that lacks zlib, where apt writes down what it is told and fails."""
    tool(folder, "id", f"echo {user}")
    tool(folder, "sudo", "exit 1")
    tool(folder, "apt-get", f"echo $DEBIAN_FRONTEND $* >>{folder}/apt; exit 1")
    return run(
        ROOT / ".ci/setup",
        PATH=f"{folder}:{os.environ['PATH']}",
        PYTHON=sys.executable,
        CC=compiler_without(folder, "zlib.h"),
    )


def test_set_up_by_root(tmp_path: Path) -> None:
    done = set_up(tmp_path, 0)
    assert done.returncode != 0
    assert (tmp_path / "apt").read_text().splitlines() == [
        "update -qq",
        "noninteractive install -y --no-install-recommends zlib1g-dev -qq",
    ]


def test_set_up_without_rights(tmp_path: Path) -> None:
    done = set_up(tmp_path, 1000)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "\nsudo apt-get update && sudo apt-get install -y --no-install-recommends zlib1g-dev\n"
    ), done.stderr
    assert not (tmp_path / "apt").exists()
