"""The commands that measure no workload: they show what there is, or what was found."""

from __future__ import annotations

import argparse

from lanes import models
from lanes.cli.rows import input_of, modules, option_of
from lanes.cli.screen import hand_out, json_of, make_console, refuse
from lanes.units import whole


def show_doctor(options: argparse.Namespace) -> int:
    from lanes import machine
    from lanes.doctor import examine
    from lanes.report import doctor

    try:
        to_stdout, path = json_of(options)
    except (ValueError, OSError) as error:
        refuse(error)
    facts = machine.facts()
    findings = examine(facts)
    doctor.show(findings, make_console(stderr=to_stdout, least_width=80))
    hand_out(lambda: doctor.text(findings, facts), to_stdout, path)
    return 0


def show_models(options: argparse.Namespace) -> int:
    from lanes.report import table

    table.show_models([models.load(name) for name in models.names()], make_console(least_width=80))
    return 0


def show_workloads(options: argparse.Namespace) -> int:
    for name, module in modules().items():
        print(f"{name:<16}{module.ABOUT}")
        if described := input_of(module):
            print(f"{'':<16}{f'{described[0]} ...':<20}{described[1]}")
        for key, (metavar, words) in module.OPTIONS.items():
            print(f"{'':<16}{' '.join(filter(None, (option_of(key), metavar))):<20}{words}")
    return 0


def serve_origin(options: argparse.Namespace) -> int:
    from lanes.origin import run_foreground

    try:
        if not options.host:
            raise ValueError("--host needs an address to listen on, such as 127.0.0.1")
        return run_foreground(options.host, whole(options.port, "port", 0, 65535))
    except (ValueError, OSError) as error:
        refuse(error)
