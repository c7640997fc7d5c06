"""The typed configuration: a wrong key or a wrong type in conf/ is named with its file."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fullstack_ml.pipeline import compose, stage

Refused = Callable[..., AbstractContextManager[None]]


def mend(file: str, right: str, wrong: str) -> None:
    """Put a mistake into a file of conf/."""
    path = Path("conf") / file
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong, 1), encoding="utf-8")


MISTAKES = {
    "misspelled-key": ("train.yaml", "parity:", "partiy:", "'partiy'", "conf/train.yaml, train.partiy", "'parity'"),
    "word-for-a-number": ("train.yaml", "parity: ", "parity: small #", "train.parity is 'small'", "train.yaml", ""),
    "decimal-comma": ("train.yaml", "parity: ", "parity: '0,1' #", "train.parity is '0,1'", "train.yaml", "0.1"),
    "share-for-a-count": ("evaluate.yaml", "bins: ", "bins: 0.", "evaluate.bins", "conf/evaluate.yaml", ""),
    "word-for-a-switch": ("register.yaml", "dirty: ", "dirty: x #", "register.allow_dirty", "conf/register.yaml", ""),
    "list-for-a-word": ("label.yaml", "aggregation: ", "aggregation: [] #", "label.aggregation", "conf/label", ""),
    "unknown-choice": ("export.yaml", "variant: ", "variant: int4 #", "'full' or 'int8'", "conf/export.yaml", ""),
    "share-above-one": ("label.yaml", "sure: ", "sure: 1.5 #", "label.sure is 1.5", "conf/label", ""),
    "no-resamples": ("evaluate.yaml", "resamples: ", "resamples: 0 #", "evaluate.resamples is 0", "evaluate", ""),
    "no-bins": ("evaluate.yaml", "bins: ", "bins: 0 #", "greater than or equal to 1", "evaluate.bins", ""),
    "no-calls": ("evaluate.yaml", "calls: ", "calls: 0 #", "evaluate.timed_calls is 0", "conf/evaluate.yaml", ""),
    "no-batch": ("evaluate.yaml", "batch: ", "batch: 0 #", "evaluate.batch is 0", "conf/evaluate.yaml", ""),
    "none-named": ("validate.yaml", "reported: ", "reported: 0 #", "validate.max_reported", "conf/validate", ""),
    "negative-seed": ("config.yaml", "seed: ", "seed: -1 #", "seed is -1", "conf/config.yaml", ""),
    "misspelled-top-key": ("config.yaml", "seed:", "sed:", "'sed'", "conf/config.yaml", "'seed'"),
}


@pytest.mark.parametrize(("file", "right", "wrong", "what", "where", "fix"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_file_is_named_with_the_file(
    file: str, right: str, wrong: str, what: str, where: str, fix: str, project: Path, refused: Refused
) -> None:
    mend(file, right, wrong)
    with refused(what, where, fix):
        stage.typed(compose.resolve([]))


def test_a_key_that_is_missing_is_named(project: Path, refused: Refused) -> None:
    mend("evaluate.yaml", "bins:", "# bins:")
    with refused("'bins' is missing", "conf/evaluate.yaml, evaluate.bins", "timed_calls"):
        stage.typed(compose.resolve([]))


@pytest.mark.parametrize(
    ("override", "what"),
    [("train.parity=small", "train.parity"), ("+train.speed=1", "'speed'"), ("+colour=red", "colour")],
    ids=["wrong-type", "unknown-key", "unknown-section"],
)
def test_a_mistake_on_the_command_line_is_refused(override: str, what: str, project: Path, refused: Refused) -> None:
    with refused(what):
        stage.typed(compose.resolve([override]))


@pytest.mark.parametrize(
    "override", ["model=mpl", "train.speed=1", "model.estimator.=", "red"], ids=["choice", "key", "empty", "no-value"]
)
def test_what_does_not_compose_is_refused(override: str, project: Path, refused: Refused) -> None:
    with refused("", "conf/ or the command line"):
        compose.resolve([override])


def test_a_file_that_is_not_yaml_is_refused(project: Path, refused: Refused) -> None:
    Path("conf/train.yaml").write_text("parity: [1\n", encoding="utf-8")
    with refused(""):
        compose.resolve([])


def test_the_composed_file_is_the_configuration(project: Path) -> None:
    compose.main()
    loaded = OmegaConf.load("params.yaml")
    assert loaded == compose.resolve([])
    assert "${" not in Path("params.yaml").read_text(encoding="utf-8")


def test_composing_again_gives_the_same_bytes(project: Path) -> None:
    compose.main()
    first = Path("params.yaml").read_bytes()
    compose.main()
    assert Path("params.yaml").read_bytes() == first


def test_the_overrides_of_an_experiment_are_kept(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "bold-idea")
    Path("params.yaml").write_text(OmegaConf.to_yaml(compose.resolve(["seed=7"])), encoding="utf-8")
    compose.main()
    assert OmegaConf.load("params.yaml") == compose.resolve(["seed=7"])


def test_the_overrides_of_an_experiment_are_checked(
    project: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "bold-idea")
    Path("params.yaml").write_text(OmegaConf.to_yaml(compose.resolve(["+train.speed=1"])), encoding="utf-8")
    with refused("'speed'", "conf/train.yaml, train.speed"):
        compose.main()


def test_a_mistake_leaves_the_old_composed_file(project: Path, refused: Refused) -> None:
    compose.main()
    before = Path("params.yaml").read_bytes()
    mend("train.yaml", "parity:", "partiy:")
    with refused("'partiy'"):
        compose.main()
    assert Path("params.yaml").read_bytes() == before
