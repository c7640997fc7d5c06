"""Where a network is fitted: the device, how precisely it computes, and what to do when its memory is full.

Reads and writes nothing.
"""

import contextlib
import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from fullstack_ml.modeling.train.backends.torch.settings import Settings
from fullstack_ml.workspace.errors import UserError, suggest

Done = TypeVar("Done")
Trial = Callable[[int], None]  # of a batch of this size
ON_DEVICE = 2**32  # bytes of records up to which all of them lie in a GPU's memory


@dataclass(frozen=True)
class Device:
    """``name`` as PyTorch calls it; ``half``: the 16 bits in which it computes what bears it, or None."""

    name: str
    half: torch.dtype | None
    gpus: int

    def computing(self) -> Any:
        """Return the context in which scores are computed."""
        return torch.autocast(self.name, dtype=self.half) if self.half else contextlib.nullcontext()

    def scaler(self) -> torch.amp.GradScaler:
        """Return what keeps small gradients from vanishing, which only float16 needs."""
        return torch.amp.GradScaler(self.name, enabled=self.half is torch.float16)

    def spread(self, network: torch.nn.Module) -> torch.nn.Module:
        """Return the network on the device, or on several that share each batch."""
        placed = network.to(self.name)
        return torch.nn.DataParallel(placed, list(range(self.gpus))) if self.gpus > 1 else placed

    @property
    def said(self) -> str:
        """Say what it is: the make of a GPU, how many of them, and in how many bits it computes."""
        kind = f"{self.name} ({torch.cuda.get_device_name()})" if self.name == "cuda" else self.name
        many, bits = f"{self.gpus} x " if self.gpus > 1 else "", ", mixed precision" if self.half else ""
        return f"{many}{kind}{bits}"

    def lay(self, values: torch.Tensor) -> torch.Tensor:
        """Bring records to the device where they fit well; else each batch goes when its turn comes."""
        return values.to(self.name) if values.nbytes <= ON_DEVICE else values


def available() -> list[str]:
    """Name the devices of this machine, the best one first."""
    found = ["cuda"] if torch.cuda.is_available() else []
    return [*found, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def device_of(settings: Settings, where: str) -> Device:
    """Return the device that the file names, or the best that is there.

    Raises:
        UserError: if there is no such device, or not as many GPUs.
    """
    there = available()
    name = there[0] if settings.device == "auto" else settings.device
    if name not in there:
        fix = f"{suggest(name, there)}; auto takes the best one"
        raise UserError(f"this machine has no device {name!r} that PyTorch sees", f"device in {where}", fix)
    count = torch.cuda.device_count() if name == "cuda" else 1
    if settings.gpus > count:
        what = f"{settings.gpus} GPUs are wanted, and PyTorch sees {count if name == 'cuda' else 0}"
        raise UserError(what, f"gpus in {where}", f"set gpus to at most {count}")
    mixed = settings.precision == "mixed" or (settings.precision == "auto" and name == "cuda")
    half = torch.float16 if name == "mps" or (name == "cuda" and not torch.cuda.is_bf16_supported()) else torch.bfloat16
    return Device(name, half if mixed else None, settings.gpus)


def is_full(error: BaseException) -> bool:
    """Tell whether an error means that memory is used up."""
    # The last two are oneDNN's, which computes convolutions on a CPU.
    words = ("can't allocate memory", "not enough memory", "out of memory", "create a primitive", "create a memory")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in str(error) for word in words)


def within_memory(work: Callable[[], Done], device: Device, batch: int, attempt: Trial, where: str) -> Done:
    """Do ``work``; turn an error of full memory into the size of a batch that would fit, which ``attempt`` tries.

    Raises:
        UserError: where memory is used up.
    """
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not is_full(error):
            raise
    # Outside of the handler, whose error holds on to what did not fit.
    fits = largest(batch // 2, attempt)
    fix = f"set batch to {fits}, which fits here" if fits else "set a smaller network, or smaller pictures"
    raise UserError(f"the memory of {device.name} is too small for a batch of {batch}", f"batch in {where}", fix)


def largest(batch: int, attempt: Trial) -> int:
    """Halve ``batch`` until an attempt goes through; 0 where none does."""
    while batch >= 2:
        gc.collect()  # what did not fit may hold on to itself
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            attempt(batch)
        except (MemoryError, RuntimeError) as error:
            if not is_full(error):
                raise
            batch //= 2
        else:
            return batch
    return 0
