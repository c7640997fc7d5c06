"""A project whose model is a network: chosen, set up, run, served, and tried another way as the docs say."""

from collections.abc import Mapping

import pytest

from conftest import Bake
from projects import Project
from server import running

pytestmark = pytest.mark.slow
SHORT = "model.estimator.epochs=2"  # an experiment need not be good


def test_a_network_is_registered_served_and_tried_again_with_another_novelty(
    bake: Bake, environment: Mapping[str, str]
) -> None:
    project = Project(bake(task="image-classification", author_name="Kim Min-seo"), environment)
    project.replace("conf/config.yaml", "- model: mlp", "- model: cnn")
    project.replace("conf/model/cnn.yaml", "epochs: 20", "epochs: 7")
    project.ok("make", "setup")  # the backend of the chosen model comes along
    assert "alias champion" in project.ok("make")
    assert project.json("reports/training.json")["model"] == "cnn"
    assert project.json("reports/metrics.json")["accuracy"] >= 0.97
    project.commit()
    project.ok("make", ".venv-serve/.done")
    project.ok("python", "-m", "fullstack_ml.serving.follow", "once")
    assert project.run(".venv-serve/bin/python", "-c", "import torch").returncode, "the server needs no PyTorch"
    with running(project) as server:
        status, answer = server.ask("POST", "/v1/predict", server.example())
        assert status == 200, answer
        assert sum(answer["predictions"][0]["scores"].values()) == pytest.approx(1, abs=1e-4)
    project.ok("dvc", "exp", "run", "-S", "model=cnn", "-S", SHORT, "-S", "train.novelty=embedding",
               "-S", "export.variant=int8", "-S", "export.quantisation=static")  # fmt: skip
    assert "novelty: embedding" in (project.folder / "params.yaml").read_text(encoding="utf-8")
    tried = project.json("reports/registration.json")
    assert tried["registered"] is False
    assert project.json("reports/metrics.json")["novelty_auroc"] > 0.8
