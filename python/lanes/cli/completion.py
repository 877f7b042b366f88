"""`lanes completion`: a script by which a shell completes commands, workloads, options and what they take.

shtab makes it from the grammar itself, which this file tells what is completed where. The script has all words in it,
so that pressing Tab starts no Python; it is to be made anew when lanes or what it is installed for changes.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Iterator, Mapping

from lanes.cli.screen import refuse

SHELLS = ("bash", "zsh", "fish")


def run_completion(options: argparse.Namespace) -> int:
    if options.shell not in SHELLS:
        refuse(ValueError(f"unknown shell {options.shell!r}: choose from {', '.join(SHELLS)}"))
    from lanes.cli.parser import make_parser

    print(script(make_parser(), options.shell), end="")
    return 0


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for a parser, which is changed by it and no longer one to parse with."""
    import shtab

    lists, choices = _lists(), _choices()
    for action in _actions(parser):
        if "FILE" in str(action.metavar) or str(action.metavar).endswith(".json"):
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
        elif action.dest in lists:
            action.complete = _list(action.dest, lists[action.dest])  # type: ignore[attr-defined]
        elif action.dest in choices:
            action.choices = choices[action.dest]
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All that can be given, in whatever command."""
    from lanes.workloads import function

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for named in action._choices_actions:
                if named.dest == function.FORM:  # a form, and no word
                    named.help = argparse.SUPPRESS
            for below in action.choices.values():
                yield from _actions(below)
        else:
            yield action


def _lists() -> dict[str, tuple[str, ...]]:
    """What may stand in a list that is parted by commas."""
    from lanes import models
    from lanes.types import BODIES

    return {
        "models": ("all", *models.FAMILIES, "variants", *models.names(), *models.variants()),
        "bodies": ("all", *BODIES),
    }


def _choices() -> dict[str, tuple[str, ...]]:
    """What may stand alone."""
    from lanes.arrivals import KINDS
    from lanes.claims import listed
    from lanes.load import FULL
    from lanes.workloads.compute import KERNELS
    from lanes.workloads.counter import STEPS
    from lanes.workloads.exchange import WAYS

    return {
        "arrivals": tuple(KINDS),
        "claim": tuple(claim.name for claim in listed()),
        "full": FULL,
        "kernel": tuple(KERNELS),
        "shell": SHELLS,
        "step": tuple(STEPS),
        "via": WAYS,
    }


def _list(name: str, words: Iterable[str]) -> Mapping[str, object]:
    """How each shell completes the last of several words that are parted by commas."""
    function, quoted = f"_lanes_{name}", shlex.join(words)
    return {
        "bash": function,
        "zsh": function,
        "fish": f"(__fish_complete_list , {function})",
        "preamble": {
            "bash": f"""\
{function}() {{
  local words=({quoted}) before=
  [[ $1 == *,* ]] && before=${{1%,*}},
  compgen -P "$before" -W "${{words[*]}}" -- "${{1##*,}}"
}}
""",
            "zsh": f"""\
{function}() {{
  local words=({quoted})
  _sequence compadd -a words
}}
""",
            "fish": f"""\
function {function}
  printf '%s\\n' {quoted}
end
""",
        },
    }
