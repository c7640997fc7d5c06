"""Stage ``compose``: resolve ``conf/`` into ``params.yaml``, from which DVC tells which stages a change concerns.

Reads ``conf/``; writes ``params.yaml``. Under ``dvc exp run -S key=value`` DVC has just composed the file with the
overrides, and ``DVC_EXP_NAME`` is set: then it is only checked, or the overrides would be lost.
Run: ``python -m fullstack_ml.pipeline.compose``.
"""

import os

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from fullstack_ml.pipeline.stage import readable, typed
from fullstack_ml.workspace.errors import guard
from fullstack_ml.workspace.files import write_text
from fullstack_ml.workspace.paths import CONF, PARAMS


def resolve(overrides: list[str]) -> DictConfig:
    """Compose ``conf/config.yaml`` with ``overrides`` and replace every interpolation by its value."""
    with readable(), initialize_config_dir(str(CONF.resolve()), version_base="1.3"):
        composed = hydra_compose("config", overrides)
    OmegaConf.resolve(composed)
    return composed


def main() -> None:
    """Write ``params.yaml``, or check the one that an experiment has just composed."""
    if "DVC_EXP_NAME" in os.environ and PARAMS.exists():
        loaded = OmegaConf.load(PARAMS)
        assert isinstance(loaded, DictConfig)
        typed(loaded)
        return
    composed = resolve([])
    typed(composed)
    write_text(PARAMS, OmegaConf.to_yaml(composed))


if __name__ == "__main__":
    guard(main)
