"""The registered versions of the model: aliases, tags, files, and the one way in which the champion changes.

``Registry`` holds what is the same everywhere. ``tracking.ClientRegistry`` asks MLflow's client, of any store;
``rest.RestRegistry`` asks a tracking server over HTTP, for an environment without MLflow.
"""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.seams import package_name

# Aliases: the version that answers, and an accepted one that did not beat it.
CHAMPION, CHALLENGER = "champion", "challenger"
# Tags of a version: the hash of its file, the version that it replaced, and when people took it back.
SHA256, BEFORE, ROLLED_BACK = "artefact.sha256", "champion.before", "rolled_back"


def model_name() -> str:
    """Return the name of the experiment and of the registered model: that of the project's package."""
    return package_name()


@dataclass(frozen=True)
class Version:
    """A registered version: its number, its tags, and the run that made it."""

    number: str
    tags: dict[str, str]
    run_id: str = ""


class Registry(ABC):
    """The versions of the model that is named after the project's package.

    Every method raises a ``UserError`` where the registry does not answer.
    """

    @property
    def name(self) -> str:
        """Return the name of the registered model."""
        return model_name()

    @property
    def place(self) -> str:
        """Name the registry in an error."""
        return f"the registry, model {self.name}"

    @abstractmethod
    def aliases(self) -> dict[str, str]:
        """Return the number that each alias names; none where no version is registered."""

    @abstractmethod
    def versions(self) -> list[Version]:
        """Return every version, the oldest first."""

    @abstractmethod
    def holder(self, alias: str) -> Version | None:
        """Return the version that ``alias`` names, or None where nothing has the alias."""

    @abstractmethod
    def artefact(self, number: str) -> bytes:
        """Return the ONNX file of a version."""

    @abstractmethod
    def set_alias(self, alias: str, number: str | None) -> None:
        """Let ``alias`` name the version, or no version."""

    @abstractmethod
    def set_tag(self, number: str, tag: str, value: str | None) -> None:
        """Give a version a tag, or take it away."""

    def find(self, name: str) -> Version:
        """Return the version that is named by number or alias.

        Raises:
            UserError: if there is none.
        """
        number = self.aliases().get(name, name)
        for version in self.versions():
            if version.number == number:
                return version
        fix = "give numbers or aliases as make mlflow shows them"
        raise UserError(f"there is no version {name!r} of {self.name}", "VERSION or VERSIONS", fix)

    def accepted(self) -> list[str]:
        """Return the numbers of the versions that the gate accepted, the oldest first."""
        return [version.number for version in self.versions() if version.tags.get("verdict") == "accepted"]

    def crown(self, number: str, back: bool = False) -> str | None:
        """Make a version the champion and return the one before.

        The champion remembers in a tag which version it replaced. A step ``back`` marks the version that goes, so that
        ``register`` does not crown it again; to crown it by hand takes the mark away. A challenger loses its alias:
        what was measured is that it does not beat the champion before.
        """
        aliases = self.aliases()
        before = aliases.get(CHAMPION)
        if before and before != number:
            mark = (before, ROLLED_BACK, time.strftime("%Y-%m-%d %H:%M")) if back else (number, BEFORE, before)
            self.set_tag(*mark)
        if ROLLED_BACK in self.find(number).tags:
            self.set_tag(number, ROLLED_BACK, None)
        self.set_alias(CHAMPION, number)
        if CHALLENGER in aliases and (before != number or aliases[CHALLENGER] == number):
            self.set_alias(CHALLENGER, None)
        return before
