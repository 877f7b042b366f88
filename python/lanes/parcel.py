"""Objects on their way to another interpreter: what that cannot import travels by value.

cloudpickle does this for functions and classes of a script, a notebook or another function. But what plain pickle then
makes of them over there, in the queues of `multiprocessing`, names `__main__`, which is another module there. So what
the parcel uses of `__main__` is found in that one, too, as it would be in the user's own processes.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
from contextlib import suppress
from types import FunctionType


def pack(thing: object) -> tuple[int, str | None, bytes]:
    """What `unpack` takes. Raises whatever the thing raises that cannot be pickled."""
    from cloudpickle import Pickler  # a few milliseconds that only a function costs

    main, used = vars(sys.modules["__main__"]), dict[str, object]()

    class Noting(Pickler):  # type: ignore[misc]  # it has no types
        def reducer_override(self, each: object) -> object:
            if isinstance(each, (type, FunctionType)) and getattr(each, "__module__", None) == "__main__":
                name = each.__qualname__.partition(".")[0]
                if name in main:
                    used[name] = main[name]
            return super().reducer_override(each)

    file = io.BytesIO()
    pickler = Noting(file)
    pickler.dump(thing)
    pickler.dump(used.copy())  # which may note more: what only that uses nobody needs by its name
    return os.getpid(), _here(), file.getvalue()


def unpack(origin: int, directory: str | None, data: bytes) -> object:
    """The thing, in this interpreter."""
    if directory is not None and directory not in sys.path:
        sys.path.append(directory)  # last, so that nothing in it hides a standard module
    unpickler = pickle.Unpickler(io.BytesIO(data))
    thing: object = unpickler.load()
    used: dict[str, object] = unpickler.load()
    if origin != os.getpid():  # at home these are copies of what is there
        vars(sys.modules["__main__"]).update(used)
    return thing


def _here() -> str | None:
    """The current directory, where a notebook or a Python prompt finds its modules; a sample's path is without it."""
    if "" in sys.path:
        with suppress(OSError):  # it may be gone
            return os.getcwd()
    return None
