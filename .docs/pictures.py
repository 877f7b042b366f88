"""The pictures of the README, from runs on this machine: `make pictures`, at a moment when nothing else runs.

`python .docs/pictures.py compute` makes those of one comparison. What is void makes none.

They are SVG on paper of their own, so that they read on a page that is light and on one that is dark, and ask for
nothing from elsewhere.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import matplotlib
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

import lanes
from lanes.report import sentences, table, wording
from lanes.report.files import write_text
from lanes.report.palette import DARK

HERE = Path(__file__).parent / "pictures"
COMMANDS = {"download": "compare download --bodies python", "compute": "compare compute --bodies python"}
LANES = ("serial", "threading", "multiprocessing", "asyncio", "native-pthreads")
"""Of the timelines: one of each kind."""


def main() -> None:
    HERE.mkdir(exist_ok=True)
    for name in sys.argv[1:] or COMMANDS:
        command = COMMANDS[name]
        result = measured(command)
        if void := [row.name for row in result if row.broken or row.error]:
            sys.exit(f"no pictures, as {wording.listed(void)} are void: once more, at a quieter moment")
        write_text(timeline(result), HERE / f"timeline-{name}.svg")
        write_text(terminal(result, command), HERE / f"table-{name}.svg")


def measured(command: str) -> lanes.Comparison:
    """What this command of lanes measures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        subprocess.run([sys.executable, "-m", "lanes", *command.split(), "--json", path], check=True)
        result = lanes.read(path)
    assert isinstance(result, lanes.Comparison)
    return result


def terminal(result: lanes.Comparison, command: str) -> str:
    """The command and what it prints on a terminal, without where the time went."""
    console = Console(record=True, file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "green"), (f"lanes {command}", "bold")))
    console.print(table.title(result))
    wording.print_table(table.speedups(result), console)
    console.print("...\n", style="dim", highlight=False)
    for note in sentences.notes(result):
        console.print(note)
    drawn = console.export_svg(title="lanes", theme=theme(), unique_id=f"lanes-{result.workload.name}")
    drawn = re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL)  # which would be fetched
    return drawn.replace("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas")


def theme() -> TerminalTheme:
    """A dark terminal: its own black, red, green, yellow, blue, magenta, cyan and white."""
    names = ("paper", "slower", "faster", "queue", "user", "void", "system", "ink")
    known = {**asdict(DARK), **DARK.parts, **DARK.verdicts}
    normal = [(int(known[name][1:3], 16), int(known[name][3:5], 16), int(known[name][5:], 16)) for name in names]
    return TerminalTheme(normal[0], normal[-1], normal, normal)


def timeline(result: lanes.Comparison) -> str:
    found = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "lanes"}):
        result.timeline(LANES).savefig(found, format="svg", metadata={"Date": None})
    return found.getvalue()


if __name__ == "__main__":
    main()
