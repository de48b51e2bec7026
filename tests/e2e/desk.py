"""A process of the installation's own, which does for a test what an admin does, on the installation's database.

The tests' process has settings and a database of pytest-django's: the two must not meet.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Desk:
    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(...)` over there. It is one of `rows.py`, by name; its errors come back."""
        return self._executor.submit(function, *args, **kwargs).result()


@contextmanager
def opened(environment: Mapping[str, str]) -> Iterator[Desk]:
    executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_set_up, initargs=(environment,))
    with executor:
        yield Desk(executor)


def _set_up(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    import django

    django.setup()
