"""The extensions `lanes._core` and `lanes._download`; all else stands in pyproject.toml.

libcurl is asked for its flags through pkg-config, then curl-config. LANES_CURL_CFLAGS and LANES_CURL_LIBS name them
outright, PKG_CONFIG and CURL_CONFIG name another tool, CC another compiler.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CURL = (7, 85)


def ask(*command: str, text: str = "") -> str | None:
    """What a command prints, or None when it is missing or fails."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def missing(what: str, debian: str, fedora: str, alpine: str) -> SystemExit:
    return SystemExit(f"lanes needs {what}: install {debian} (Debian, Ubuntu), {fedora} (Fedora) or {alpine} (Alpine)")


def missing_curl(found: str = "") -> SystemExit:
    what = f"libcurl {CURL[0]}.{CURL[1]} or later with its headers{found}"
    return missing(what, "libcurl4-openssl-dev", "libcurl-devel", "curl-dev")


def curl_flags() -> tuple[str, str]:
    """The flags to compile and to link with libcurl."""
    named = os.environ.get("LANES_CURL_CFLAGS"), os.environ.get("LANES_CURL_LIBS")
    if named != (None, None):
        return named[0] or "", named[1] or "-lcurl"
    package = [*shlex.split(os.environ.get("PKG_CONFIG", "pkg-config")), "libcurl"]
    script = shlex.split(os.environ.get("CURL_CONFIG", "curl-config"))
    found = ""
    for command, version in (package, "--modversion"), (script, "--version"):
        number = re.search(r"(\d+)\.(\d+)\S*", ask(*command, version) or "")
        cflags, libs = ask(*command, "--cflags"), ask(*command, "--libs")
        if number is None or cflags is None or libs is None:
            continue
        if (int(number[1]), int(number[2])) >= CURL:
            return cflags, libs
        found = f" (found {number[0]})"
    raise missing_curl(found)


class Build(build_ext):
    """Looks for what the extension needs before it compiles, and names what is missing in one line."""

    def build_extensions(self) -> None:
        download = self.extensions[-1]
        if not self.compiles("#include <stdlib.h>"):
            raise missing("a C compiler", "gcc and libc6-dev", "gcc", "gcc and musl-dev")
        if not self.compiles("#include <Python.h>"):
            raise missing("Python.h, the headers of this Python", "python3-dev", "python3-devel", "python3-dev")
        cflags, libs = curl_flags()
        download.extra_compile_args += shlex.split(cflags)
        download.extra_link_args += shlex.split(libs)
        oldest = f"LIBCURL_VERSION_NUM < {CURL[0] << 16 | CURL[1] << 8}"
        if not self.compiles(f"#include <curl/curl.h>\n#if {oldest}\n#error too old\n#endif", *shlex.split(cflags)):
            raise missing_curl()
        if not self.compiles("#include <zlib.h>"):
            raise missing("zlib with its headers", "zlib1g-dev", "zlib-devel", "zlib-dev")
        internals = "#include <internal/pycore_interp.h>\n#include <internal/pycore_runtime.h>"
        if not self.compiles(f"#define Py_BUILD_CORE 1\n#include <Python.h>\n{internals}"):
            self.extensions[0].define_macros.append(("LANES_NO_INTERNALS", "1"))  # waits for the GIL stay unknown
        super().build_extensions()

    def compiles(self, source: str, *flags: str) -> bool:
        includes = [f"-I{folder}" for folder in self.compiler.include_dirs]
        return ask(*self.compiler.compiler_so, *includes, *flags, "-fsyntax-only", "-xc", "-", text=source) is not None


def extension(name: str, *sources: str) -> Extension:
    return Extension(
        f"lanes.{name}",
        sources=sorted(sources),
        depends=sorted(glob("csrc/**/*.h", recursive=True)),
        include_dirs=["csrc"],
        define_macros=[("_GNU_SOURCE", "1")],
        # No fused multiply-add: mandelbrot's counts equal the interpreter's bit for bit.
        extra_compile_args=[
            "-std=c11",
            "-O2",
            "-pthread",
            "-fvisibility=hidden",
            "-ffp-contract=off",
            "-Wall",
            "-Wextra",
        ],
        extra_link_args=["-pthread"],
        libraries=["z"],
    )


# What needs libcurl, in a module of its own; what it calls of the rest is in both, and keeps nothing there.
_SHARED = ("area", "arrivals", "batch", "clock", "ledger", "lock", "loop", "task", "usage", "worker")
SHARED = tuple(f"csrc/{name}.c" for name in _SHARED)
DOWNLOAD = ("csrc/download_module.c", *glob("csrc/workloads/download*.c"), "csrc/workloads/transfer.c")
EVERYTHING = glob("csrc/**/*.c", recursive=True)
core = extension("_core", *(source for source in EVERYTHING if source not in DOWNLOAD))
download = extension("_download", *DOWNLOAD, *SHARED)

setup(ext_modules=[core, download], cmdclass={"build_ext": Build})
