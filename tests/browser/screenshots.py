"""`make screenshots`: a picture of every page at two widths, in both themes and languages, and a page that shows them.

    python -m tests.browser.screenshots [FOLDER] [--only NAME …]

A gateway of its own, with sample data and a simulated school, is made for it and removed again.
"""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from django.core.management import call_command

from tests.processes import running
from tests.school import School

FOLDER = Path("var") / "screenshots"


def main(arguments: list[str]) -> None:
    options = parsed(arguments)
    with tempfile.TemporaryDirectory(prefix="gateway-screenshots-") as folder:
        with simulated_school(Path(folder)) as school, gateway(Path(folder), school) as base:
            # Django has been set up only now.
            from tests.browser.tour import Tour

            Tour(options.folder, base, school).take(set(options.only))
    print(f"{options.folder / 'index.html'} shows them all.")


def parsed(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--only", nargs="*", default=(), metavar="NAME", help="names of pages, as in pages.py")
    return parser.parse_args(arguments)


@contextmanager
def simulated_school(folder: Path) -> Iterator[School]:
    with running("-m", "simulator", "--port", "0", log=folder / "school.log") as process:
        yield School(process.wait_for_line("simulator ready on ").split()[-1])


@contextmanager
def gateway(folder: Path, school: School) -> Iterator[str]:
    """The web process on an empty database, and its address. This process is set up for the same database."""
    os.environ.update(environment(folder, school))
    django.setup()
    call_command("migrate", verbosity=0)
    with running("manage.py", "serve", "--port", "0", log=folder / "gateway.log") as process:
        yield process.wait_for_line("gateway ready on ").split()[-1]


def environment(folder: Path, school: School) -> dict[str, str]:
    """Nothing of the real installation's: an empty variable hides what the file `.env` says."""
    hidden = ("GATEWAY_", "XIPU_", "CELERY_", "DATABASE_", "REDIS_")
    return {
        **{name: "" for name in os.environ if name.startswith(hidden)},
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "GATEWAY_DATA_DIR": str(folder / "data"),
        "DATABASE_URL": f"sqlite:///{folder / 'gateway.sqlite3'}",
        "REDIS_URL": "",
        "CELERY_BROKER_URL": "",
        "GATEWAY_LOG_LEVEL": "warning",
        # The worker of the live login, with its Chrome, ends with the tour.
        "GATEWAY_DRAIN_SECONDS": "1",
        "XIPU_PORTAL_URL": school.url,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
