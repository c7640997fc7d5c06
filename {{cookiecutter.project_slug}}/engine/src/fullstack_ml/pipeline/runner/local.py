"""Runner ``local``: one item after another in this process, which polars and numpy keep busy already."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Work on an item when its result is asked for."""
    for item in items:
        yield function(item)
