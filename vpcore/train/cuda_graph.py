"""Record one training step as a CUDA graph, and replay it: the GPU gets one launch instead of hundreds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from vpcore.train.halves import out_of_memory
from vpcore.train.runstate import RunState

WARM_UP = 3  # plain steps before the recording: kernels are chosen, the optimizer's tensors made


class RecordedStep:
    """Take the first steps of a run plainly, record the next one, and replay it from then on.

    Batches are copied into tensors that stay in place; so are the learning rates. Whatever else a step does must happen
    on the GPU, with tensors that stay where they are. The recording itself trains nothing.

    Args:
        state: model, optimizer and generators; the generators on the GPU go on drawing in the replays.
        value: maps images and labels to the loss.

    Raises:
        ValueError: a step draws random numbers on the CPU, or waits for the GPU: neither can be replayed; or memory
            runs out, for a recorded step takes no batch in halves.
    """

    def __init__(self, state: RunState, value: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.state, self.value = state, value
        self.taken = 0  # plain steps
        self.replay: Callable[[], None] | None = None

    def __call__(self, images: Tensor, labels: Tensor, factor: float) -> Tensor:
        """Take one step at `factor` times the peak learning rate; returns the loss, overwritten by the next step."""
        if self.taken < WARM_UP:
            try:
                return self._plain(images, labels, factor)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                fix = "leave cuda_graph out for halved batches, lower batch_size, or give fit_seeds fewer models"
                raise ValueError(f"out of memory with {len(images)} images a step: {fix}") from error
        if self.replay is None:
            self._record(images, labels)
        assert self.replay is not None
        self.images.copy_(images)
        self.labels.copy_(labels)
        for rate, group in zip(self.rates, self.state.optimizer.param_groups, strict=True):
            rate.fill_(group["peak_lr"] * factor)
        self.replay()
        return self.loss

    def _plain(self, images: Tensor, labels: Tensor, factor: float) -> Tensor:
        """Take a step apart from the main stream, as a recording needs before; look whether the last one may be one."""
        self.taken += 1
        before = self._cpu_draws()
        with on_side_stream(images.device):
            loss = self.value(images, labels)
            self.state.step(loss, factor)
        if self.taken == WARM_UP and before != self._cpu_draws():  # earlier ones may compile, or make generators
            raise ValueError(
                "this model or loss draws random numbers on the CPU in every step, and a CUDA graph would repeat them: "
                "leave cuda_graph out"
            )
        return loss.detach()

    def _record(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images.clone(), labels.clone()
        self.rates = [torch.zeros((), device=images.device) for _ in self.state.optimizer.param_groups]
        on_gpu = [each for each in self.state.generators().values() if each.device.type == "cuda"]
        try:
            self.replay = record(self._body, on_gpu, images.device)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"this step cannot be recorded as a CUDA graph ({reason}): leave cuda_graph out"
            ) from error

    def _body(self) -> None:
        optimizer = self.state.optimizer
        optimizer.zero_grad(set_to_none=True)
        loss = self.value(self.images, self.labels)
        self.state.backward(loss)
        with _rates_in_place(optimizer, self.rates):
            optimizer.step()
        self.loss = loss.detach()

    def _cpu_draws(self) -> list[list[int]]:
        states = [each.get_state() for each in self.state.generators().values() if each.device.type == "cpu"]
        return [state.tolist() for state in [torch.get_rng_state(), *states]]


@cache
def side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the one stream beside the main one that steps are recorded on; each more would hold memory of its own."""
    return torch.cuda.Stream(device)


@contextmanager
def on_side_stream(device: torch.device) -> Iterator[None]:
    """Run what is inside on the side stream, after what came before and before what comes behind."""
    stream = side_stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)


def record(body: Callable[[], None], generators: list[torch.Generator], device: torch.device) -> Callable[[], None]:
    """Record what `body` asks of the GPU, without doing it; returns what does it.

    Raises:
        RuntimeError: `body` waits for the GPU, or copies from ordinary memory.
    """
    with torch.cuda.stream(torch.cuda.current_stream(device)):  # makes this the device, and is put back after a failure
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, stream=side_stream(device)):
            body()
    return graph.replay


@contextmanager
def _rates_in_place(optimizer: torch.optim.Optimizer, rates: list[Tensor]) -> Iterator[None]:
    """Let the optimizer read its rates from tensors, in one fused kernel that never waits."""
    before = [dict(group) for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group.update(lr=rate, fused=True, capturable=True)
    try:
        yield
    finally:
        for group, old in zip(optimizer.param_groups, before, strict=True):
            group.clear()
            group.update(old)
