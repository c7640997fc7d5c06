"""Make a pure ``run(config)`` into the Hydra application that DVC calls.

Reads ``conf/`` (or, under DVC, the composed ``params.yaml``); writes nothing itself. By hand, from the project's root:
``python -m fullstack_ml.modeling.train model=logistic``.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.conf import HydraConf
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from fullstack_ml.pipeline.config import Config
from fullstack_ml.workspace.aliases import refuse_bomb
from fullstack_ml.workspace.errors import UserError, dotted, explain, guard
from fullstack_ml.workspace.paths import CONF

CONFIG = TypeAdapter(Config)


def file_of(key: str) -> str:
    """Name the file of ``conf/`` in which the dotted ``key`` stands."""
    first = key.removeprefix("stages.").split(".")[0].split("[")[0]
    if "." not in key:
        return "conf/config.yaml"
    return f"conf/{first}/*.yaml" if first in ("source", "model", "runner") else f"conf/{first}.yaml"


def typed(composed: DictConfig) -> Config:
    """Check a composed configuration against the classes of ``config.py``.

    Raises:
        UserError: for an unknown or a missing key, a wrong type, or a value out of bounds, with the file and what is
            allowed.
    """
    try:
        return CONFIG.validate_python(OmegaConf.to_container(composed, resolve=True, throw_on_missing=True))
    except OmegaConfBaseException as error:
        key = str(error.full_key or error.key)
        what = str(error.msg or error).strip().splitlines()[0]
        raise UserError(f"configuration key {key!r}: {what}", file_of(key), "give it a value") from error
    except ValidationError as error:
        raise explain(error, Config, lambda location: f"{file_of(dotted(location))}, {dotted(location)}") from error


@contextmanager
def readable() -> Iterator[None]:
    """Turn a configuration that does not compose into a user's error."""
    for path in sorted(CONF.rglob("*.yaml")):
        refuse_bomb(path)
    try:
        yield
    except RecursionError as error:
        raise UserError("a file is nested too deeply", "conf/", "mend the value") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{Path(mark.name).name}:{mark.line + 1}" if mark else "conf/"
        raise UserError(f"not YAML: {error.problem}", where, "mend the line, or the one above it") from error
    except (HydraException, OmegaConfBaseException) as error:
        what = " ".join(line.strip() for line in str(error).strip().splitlines()[:2])
        raise UserError(what, "conf/ or the command line", "compare with the files in conf/") from error


def quiet() -> None:
    """Let Hydra write no folder and no log file: a stage's outputs are those that dvc.yaml names."""
    hydra_conf = HydraConf(output_subdir=None)
    hydra_conf.run.dir = "."
    hydra_conf.defaults = [
        {next(iter(item)): "disabled"} if next(iter(item)).endswith("logging") else item for item in hydra_conf.defaults
    ]
    ConfigStore.instance().store(group="hydra", name="config", node=hydra_conf, provider="stage")


def stage(run: Callable[[Config], Any], config_name: str = "config") -> None:
    """Compose the configuration, check its types, call ``run``; a user's mistake ends in three lines and exit code 1.

    Raises:
        SystemExit: with code 1 for a ``UserError`` or a configuration that does not compose.
    """
    # Hydra prints its own abridged traceback unless this is set; the errors are printed by guard() instead.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    quiet()

    @hydra.main(version_base="1.3", config_path=str(CONF.resolve()), config_name=config_name)
    def application(composed: DictConfig) -> Any:
        # Guarded in here too: Hydra adds lines of its own to an exception that leaves the application.
        return guard(lambda: run(typed(composed)))

    guard(readable()(application))
