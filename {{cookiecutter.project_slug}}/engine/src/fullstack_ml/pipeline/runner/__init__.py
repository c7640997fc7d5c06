"""Seam *runner*: where the shards of a stage are worked on, one after another or many at a time.

``runner.name`` of ``conf/`` chooses the module: one of this folder, or ``src/<package>/runner/<name>.py``. What comes
out is the same whoever runs it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from fullstack_ml.pipeline.config import Config
from fullstack_ml.workspace.seams import find_choice

Item = TypeVar("Item")
Result = TypeVar("Result")


class Runner(Protocol):
    """What a module of this seam defines."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` for every item, in the order of the items.

        ``function`` is pure and can be pickled, and so can items and results. At most a few results are kept that
        nobody has taken yet, so that memory does not grow with the number of items. The first item, in their order,
        whose function raises ends the iteration with that error.
        """


# What a module has to define; find_choice() names what is missing.
NEEDED = ("map",)


def runner_of(config: Config) -> Runner:
    """Return the module that runs the shards.

    Raises:
        UserError: if there is none, it cannot be imported, or it does not fill the seam.
    """
    chosen: Runner = find_choice("pipeline.runner", config.runner.name, "conf/runner, name")
    return chosen
