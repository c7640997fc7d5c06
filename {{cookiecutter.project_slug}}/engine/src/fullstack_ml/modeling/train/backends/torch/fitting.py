"""Fit a network: epochs of batches until the validation split gains no more, or a number of them.

Reads and writes ``models/checkpoints`` alone, so that a killed training goes on where it was. Every epoch has a seed of
its own: what is drawn does not depend on what was drawn before, nor on a stop.
"""

import copy
import math
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fullstack_ml.modeling.train.backends import Lesson, place
from fullstack_ml.modeling.train.backends.torch import checkpoint
from fullstack_ml.modeling.train.backends.torch.answering import Answering, Network, Shape
from fullstack_ml.modeling.train.backends.torch.augment import augmented, check_augment
from fullstack_ml.modeling.train.backends.torch.devices import Device, device_of, within_memory
from fullstack_ml.modeling.train.backends.torch.networks import NETWORKS
from fullstack_ml.modeling.train.backends.torch.progress import Watch
from fullstack_ml.modeling.train.backends.torch.records import Batch, Part, parts_of, scale_of
from fullstack_ml.modeling.train.backends.torch.settings import Settings
from fullstack_ml.pipeline.config import Model
from fullstack_ml.workspace.errors import UserError

ALIKE = 16  # batches among which texts are sorted by their length
FIXED = 30  # epochs where too few records have a label for some to be held back


@dataclass
class Training:
    """A network on its way: where it is, and the best that it was."""

    network: Any
    optimiser: Any
    best: dict[str, Tensor]
    lowest: float = math.inf
    when: int = -1
    epoch: int = 0
    curves: dict[str, list[float]] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """Return all of it as a checkpoint keeps it."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            **{name: getattr(self, name) for name in ("best", "lowest", "when", "epoch", "curves")},
        }

    def go_on(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.network.load_state_dict(state.pop("network"))
        self.optimiser.load_state_dict(state.pop("optimiser"))
        for name, value in state.items():
            setattr(self, name, value)

    def note(self, loss: float, proof: float | None) -> None:
        """Note an epoch, and keep the weights if they are the best; without records to stop by these are the last."""
        found = {"loss": loss} | ({} if proof is None else {"validation_loss": proof})
        for name, value in found.items():
            self.curves.setdefault(name, []).append(value)
        if proof is None or proof < self.lowest:
            self.best, self.when = copy.deepcopy(self.network.state_dict()), self.epoch
            self.lowest = math.inf if proof is None else proof
        self.epoch += 1

    def is_over(self, patience: int) -> bool:
        """Tell whether the best was ``patience`` epochs ago."""
        return bool(patience) and self.epoch - 1 - self.when >= patience


def loss_of(scores: Tensor, truth: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the loss of every record: cross-entropy of a label, its mean of several labels, squares of numbers."""
    if truth.ndim == 2:
        return functional.binary_cross_entropy_with_logits(scores, truth, reduction="none").mean(dim=1)
    if truth.is_floating_point():
        return (scores[:, 0] - truth) ** 2
    return functional.cross_entropy(scores, truth, reduction="none", label_smoothing=smoothing)


def rate(step: int, steps: int, settings: Settings) -> float:
    """Return the share of the learning rate: rising, then falling as a cosine (Loshchilov and Hutter 2017, SGDR)."""
    rising = max(1, round(settings.warmup * steps))
    if step < rising:
        return (step + 1) / rising
    if settings.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / (steps - rising)))


def drawn_batches(rows: Tensor, size: int, letters: bool) -> list[Tensor]:
    """Return the places of all rows in batches drawn at random; of ``letters`` those of texts of alike length, since a
    batch takes as long as its longest."""
    order = torch.randperm(len(rows))
    if letters:
        lengths = (rows[order.to(rows.device)] > 0).sum(dim=1).cpu()
        parts = zip(order.split(ALIKE * size), lengths.split(ALIKE * size), strict=True)
        order = torch.cat([places[length.argsort(stable=True)] for places, length in parts])
    batches = [places for places in order.split(size) if len(places) > 1]
    return [batches[i] for i in torch.randperm(len(batches)).tolist()] if letters else batches


def learn(training: Training, spread: nn.Module, part: Part, settings: Settings, device: Device) -> Tensor:
    """Go once through all records; return the loss of every step."""
    batches = drawn_batches(part.rows, settings.batch, training.network.letters)
    scaler, steps, losses = device.scaler(), settings.epochs * len(batches), []
    spread.train()
    for i, places in enumerate(batches):
        for group in training.optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate(training.epoch * len(batches) + i, steps, settings)
        rows, truth, weights = part.take(places, device.name)
        rows = augmented(rows, settings.augment, training.network.shape)
        loss = batch_loss(spread, (rows, truth, weights), settings, device)
        training.optimiser.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(training.optimiser)
        scaler.update()
        losses.append(loss.detach())
    return torch.stack(losses)


def batch_loss(spread: nn.Module, batch: Batch, settings: Settings, device: Device) -> Tensor:
    """Return the mean loss of a batch, of which two records each are mixed (Zhang et al. 2018, mixup)."""
    rows, truth, weights = batch
    share, other = 1.0, torch.arange(0)
    if settings.mixup:
        share = float(torch.distributions.Beta(settings.mixup, settings.mixup).sample())
        other = torch.randperm(len(rows)).to(rows.device)
        rows = share * rows + (1 - share) * rows[other]
    with device.computing():
        scores = spread(rows)
    scores = scores.float()
    losses = loss_of(scores, truth, settings.smoothing) * weights
    if settings.mixup:
        losses = share * losses + (1 - share) * loss_of(scores, truth[other], settings.smoothing) * weights[other]
    return losses.mean()


def proof_loss(spread: nn.Module, part: Part, device: Device) -> float:
    """Return the mean loss of records that are not learned from."""
    spread.eval()
    step, total = getattr(spread, "module", spread).at_once(part.rows), 0.0
    with torch.inference_mode():
        for places in torch.arange(len(part.rows)).split(step):
            rows, truth, weights = part.take(places, device.name)
            with device.computing():
                scores = spread(rows)
            total += float((loss_of(scores.float(), truth) * weights).sum())
    return total / float(part.weights.sum())


def check_finite(losses: Tensor, epoch: int, where: str) -> None:
    """Raise when a loss is no number any more, and name its step."""
    wrong = torch.nonzero(~torch.isfinite(losses))
    if len(wrong):
        step = int(wrong[0])
        what = f"the loss of step {step + 1} of epoch {epoch + 1} is no number: {float(losses[step])}"
        fix = "lower learning_rate, raise warmup, or set precision: full"
        raise UserError(what, f"learning_rate in {where}", fix)


def run(
    network: Network,
    records: tuple[Part, Part | None],
    settings: Settings,
    device: Device,
    seed: int,
    file: Path,
    where: str,
    last: int,
) -> dict[str, list[float]]:
    """Go through the epochs up to ``last``, leave ``network`` at its best, and return the curves."""
    spread = device.spread(network)
    optimiser = torch.optim.AdamW(
        [weights for weights in network.parameters() if weights.requires_grad],
        settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    training = Training(network, optimiser, copy.deepcopy(network.state_dict()))
    if state := checkpoint.read(file):
        training.go_on(state)
        print(f"train: goes on after epoch {training.epoch}, where it was stopped", flush=True)
    known, proof = records[0].on(device), records[1] and records[1].on(device)
    began = time.monotonic()
    watch, written = Watch(file.stem, began, training.epoch, began), began
    while training.epoch < last and not training.is_over(settings.patience):
        torch.manual_seed(seed + training.epoch)
        losses = learn(training, spread, known, settings, device)
        check_finite(losses, training.epoch, where)
        training.note(float(losses.mean()), None if proof is None else proof_loss(spread, proof, device))
        watch.tell(training.epoch, last, training.curves)
        if time.monotonic() - written >= checkpoint.EVERY:
            checkpoint.write(file, training.state())
            written = time.monotonic()
    network.load_state_dict(training.best)
    watch.end()
    checkpoint.remove(file)
    return training.curves


def epochs_of(settings: Settings, count: int, blind: bool) -> int:
    """Return the epochs at most: of ``count`` records those that make ``steps``; few where nothing says when to end."""
    most = min(settings.epochs, FIXED) if blind else settings.epochs
    return min(most, max(1, round(settings.steps * settings.batch / count))) if settings.steps else most


def fitted(
    model: Model, settings: Settings, options: dict[str, Any], seed: int, lesson: Lesson, shape: Shape | None
) -> tuple[Answering, dict[str, list[float]], str]:
    """Return the network at its best, on the CPU, its curves, and the device on which it learned.

    Raises:
        UserError: for what the machine or the contract does not allow, a loss that is no number, or full memory.
    """
    where = place(model)
    check_augment(settings.augment, lesson.product, shape, where)
    device = device_of(settings, where)
    known, proof, scale = parts_of(model, settings, seed, lesson)
    blind = bool(settings.patience) and proof is None and not lesson.rounds
    settings = replace(settings, epochs=epochs_of(settings, len(known.rows), blind))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        parts = NETWORKS[settings.network](shape, lesson.rows.shape[1], **options)
        several = lesson.truth.ndim == 2
        labels = lesson.truth.shape[1] if several else int(lesson.truth.max()) + 1
        measures = scale_of(known.rows.numpy(), shape, model.scale, lesson.alike)
        network = Network(parts, labels if scale is None else 1, shape, *measures)

        def attempt(batch: int) -> None:
            trial = Part(known.rows[:batch], known.truth[:batch], known.weights[:batch])
            fresh = Training(network.cpu(), torch.optim.AdamW(network.parameters()), {})
            learn(fresh, device.spread(network), trial, replace(settings, batch=batch), device)

        file = checkpoint.path_of(model, seed, lesson)
        # The rate falls as it fell for the models of the folds, whose best epoch came before the last.
        last = lesson.rounds[0] if lesson.rounds else settings.epochs
        work = partial(run, network, (known, proof), settings, device, seed, file, where, last)
        curves = within_memory(work, device, settings.batch, attempt, where)
    return Answering(network.cpu(), scale, several).eval(), curves, device.said
