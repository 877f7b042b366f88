"""The notebooks, executed from top to bottom by a kernel of this interpreter; as a command it saves what comes of it.

    python tests/notebooks.py                       all of them
    python tests/notebooks.py 2-downloads.ipynb     these

Nothing is saved of when and where they were executed, so that what differs from one time to the next is what was
measured.
"""

from __future__ import annotations

import asyncio
import base64
import io
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

HOME = Path(__file__).parent.parent / "notebooks"
CELL_S = 60
"""Of a cell; none should take a quarter of it."""

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def paths() -> list[Path]:
    return sorted(HOME.glob("*.ipynb"))


def execute(path: Path) -> NotebookNode:
    """The notebook with the outputs of its cells. An error in one ends it, as a CellExecutionError that shows both."""
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as directory:
        # Neither a user's settings nor what is installed elsewhere; and nothing is left at home.
        own = dict.fromkeys(("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"), directory)
        os.environ.update(own | {"PYDEVD_DISABLE_FILE_VALIDATION": "1"})
        asyncio.run(_executed(notebook, directory))
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


async def _executed(notebook: NotebookNode, directory: str) -> None:
    kernel = AsyncKernelManager(
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),  # which leaves this interpreter
        connection_file=f"{directory}/kernel.json",
        transport="ipc",
    )
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=CELL_S,
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(HOME)}},
    )
    try:
        await client.async_execute()
    finally:
        await kernel.shutdown_kernel(now=True)


def lighten(notebook: NotebookNode) -> None:
    """Pictures with a palette take a quarter of the room, and look the same."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                light = io.BytesIO()
                picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
                picture.convert("RGB").quantize(128).save(light, "PNG", optimize=True)
                output.data["image/png"] = base64.b64encode(light.getvalue()).decode()


def main(names: list[str]) -> None:
    for path in [HOME / name for name in names] or paths():
        began = time.monotonic()
        notebook = execute(path)
        lighten(notebook)
        nbformat.write(notebook, path)
        print(f"{path.name}: {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
