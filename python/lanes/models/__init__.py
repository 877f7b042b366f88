"""The columns of the grid. A new one is a file here and a line below; it is imported when it is first asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import cast

from lanes import _core, interpreter
from lanes.types import Kind, Model

_PYTHON = {
    "serial": "serial",
    "threading": "threads",
    "futures-threads": "futures_threads",
    "multiprocessing": "processes",
    "multiprocessing-pool": "pool",
    "futures-processes": "futures_processes",
    "asyncio": "loop",
    "asyncio-threads": "loop_threads",
    "asyncio-processes": "loop_processes",
}
_NATIVE = {
    "native-serial": "native.SERIAL",
    "native-pthreads": "native.PTHREADS",
    "native-fork": "native.FORK",
    "native-epoll": "native.EPOLL",
    "asyncio-native": "loop_native",
}
_FILES = _PYTHON | _NATIVE
"""Where each is: a file here, or a name in one."""
_VARIANT = re.compile(r"([a-z-]+)\[([a-z]+)\]")
WITH_GIL = "1 with a GIL, many without"
"""How many processors threads of Python can use."""
FAMILIES: dict[str, tuple[str, ...]] = {"python": tuple(_PYTHON), "native": tuple(_NATIVE)}


def names() -> tuple[str, ...]:
    """All models, in the order of the grid."""
    return tuple(_FILES)


def load(name: str) -> Model:
    """The model of that name, or the variant of one: `multiprocessing[spawn]`."""
    if "[" in name:
        return _variant(name)
    if name not in _FILES:
        raise ValueError(f"unknown model {name!r}: the models are {', '.join(_FILES)}")
    file, _, attribute = _FILES[name].partition(".")
    found = import_module(f"lanes.models.{file}")
    return cast(Model, getattr(found, attribute) if attribute else found)


def engine(name: str, workload: str) -> str:
    """The engine's model behind a native one. asyncio-native does what waits on the loop's own thread, through the
    engine's epoll; and what computes, which would block the loop, on native threads."""
    if name != "asyncio-native":
        return name
    return "native-epoll" if _core.can_begin("native-epoll", workload) else "native-pthreads"


def at_work(column: Model, workload: str) -> Model:
    """The model that does the work of this workload: of one that hands it to another model, that other."""
    base = parted(column.name)[0]
    behind = engine(base, workload)
    return column if behind == base else load(behind)


def kind(column: Model, workload: str) -> Kind:
    """What the workers of this model are when they do this workload."""
    worker = at_work(column, workload)
    if worker.family == "native":
        return "places" if worker.name == "native-epoll" else "children" if worker.start_method else "threads"
    return "coroutines" if worker.coroutines else "processes" if worker.start_method else "threads"


def processors(column: Model, body: str | None) -> str:
    """How many processors its workers can use with this body on this interpreter: "1" or "many".

    Threads of Python use one at a time for as long as they need the GIL: a body that lets go of it, or an interpreter
    that has none, lets them use many.
    """
    if column.processors != WITH_GIL:
        return column.processors
    return "1" if interpreter.gil() and body != "released" else "many"


def parted(name: str) -> tuple[str, str | None]:
    """A model's name without and with what stands in brackets: ("multiprocessing", "spawn")."""
    match = _VARIANT.fullmatch(name)
    return (match[1], match[2]) if match else (name, None)


def _variant(name: str) -> Model:
    from lanes.models.variant import Variant

    base, variant = parted(name)
    if base not in names() or variant is None:
        raise ValueError(f"unknown model {name!r}: a variant is written model[variant], such as multiprocessing[spawn]")
    column = load(base)
    if variant not in column.variants:
        there = ", ".join(f"{base}[{each}]" for each in column.variants)
        raise ValueError(f"unknown variant {name!r}: {f'there are {there}' if there else f'{base} has none'}")
    if lacks := _lacks(column, variant):
        raise ValueError(f"{name} needs {lacks}")
    return Variant(column, variant)


def _lacks(column: Model, variant: str) -> str | None:
    """What this interpreter lacks for a variant, if the model knows of such a thing."""
    ask: Callable[[str], str | None] = getattr(column, "lacks", lambda variant: None)
    return ask(variant)


def variants() -> tuple[str, ...]:
    """The names of all variants that this interpreter has, in the order of the grid."""
    columns = map(load, names())
    return tuple(
        f"{each.name}[{variant}]" for each in columns for variant in each.variants if not _lacks(each, variant)
    )


def in_order(chosen: Iterable[str]) -> list[str]:
    """Names of models and variants in the order of the grid, each variant after its model."""

    def place(name: str) -> tuple[int, int]:
        base, variant = parted(name)
        return names().index(base), [*load(base).variants].index(variant) + 1 if variant else 0

    return sorted(set(chosen), key=place)


def select(wanted: str | Iterable[str]) -> tuple[str, ...]:
    """The names meant by "all", by a family, by "variants" or by a list of these and of names, each once."""
    words = [word.strip() for word in wanted.split(",")] if isinstance(wanted, str) else list(wanted)
    bracketed = [load(word).name for word in words if "[" in word]
    groups = {"all": names(), **FAMILIES, "variants": variants() if "variants" in words else ()}
    return pick("model", words, (*names(), *bracketed), groups)


def pick(
    what: str, wanted: str | Iterable[str], known: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The known names that are meant by a list of them or of groups, each once; a text is parted by commas."""
    allowed = f"choose {', '.join(groups)} or any of {', '.join(known)}"
    chosen: dict[str, None] = {}
    for word in map(str.strip, wanted.split(",")) if isinstance(wanted, str) else wanted:
        if word not in groups and word not in known:
            raise ValueError(f"unknown {what} {word!r}: {allowed}")
        chosen.update(dict.fromkeys(groups.get(word, (word,))))
    if not chosen:
        raise ValueError(f"no {what}: {allowed}")
    return tuple(chosen)
