"""Count floating-point operations by running a model once: matrix products, convolutions and attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from vpcore.device import evaluating, own_random_stream

Shape = tuple[int, ...]


def attention_forward(query: Shape, key: Shape, value: Shape, *rest: Shape) -> int:
    """Return the operations of softmax(QKᵀ)V: two matrix products, two operations a multiply-add.

    Args:
        query: (batch, heads, tokens, width).
        key: (batch, heads, keys, width).
        value: (batch, heads, keys, value width).
        rest: not used: what else an attention kernel takes.
    """
    batch, heads, tokens, width = query
    return 2 * batch * heads * tokens * key[2] * (width + value[3])


def attention_backward(gradient: Shape, query: Shape, key: Shape, value: Shape, *rest: Shape) -> int:
    """Return the operations of the gradients by Q, K, V: four products, twice the forward pass.

    Fused kernels compute QKᵀ once more instead of keeping it. That fifth product is left out, so that every device
    counts the same.
    """
    return 2 * attention_forward(query, key, value)


def count_flops(run: Callable[[], Any]) -> int:
    """Return how many floating-point operations `run()` executes; a multiply-add counts as two.

    Matrix products, convolutions and attention are counted, with the gradients that are really computed; sums, norms,
    activations and the optimizer's update are not. torch's own formulas know no attention on the CPU and count five
    products for its gradient on CUDA: the formulas of this file replace both. On the "meta" device nothing is
    computed and no weight needs memory.
    """
    with _Counter() as counter:
        run()
    return counter.total


class _Counter(TorchDispatchMode):
    """Add up the operations of every kernel that is called inside."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self.formulas = {**flop_registry, **_attention_formulas()}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = self.formulas.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def forward_flops(model: nn.Module, images: Tensor) -> int:
    """Return the operations of one forward pass in eval mode; the model's mode is put back."""
    with evaluating(model), torch.no_grad():
        return count_flops(lambda: model(images))


def step_flops(model: nn.Module, images: Tensor) -> int:
    """Return the operations of one training step: forward and backward pass of the cross-entropy, without the update.

    The model keeps its mode and gets no gradients; batch-norm statistics that are not frozen move, as in training.
    """
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)

    def step() -> None:
        loss = F.cross_entropy(model(images).float(), labels)
        torch.autograd.grad(loss, wanted, allow_unused=True)

    was_training = model.training
    try:
        model.train()
        with own_random_stream(0, images.device), torch.enable_grad():
            return count_flops(step)
    finally:
        model.train(was_training)


def _attention_formulas() -> dict[Any, Callable[..., int]]:
    def of_shapes(formula: Callable[..., int]) -> Callable[..., int]:
        return lambda *args, **_: formula(*(tuple(a.shape) for a in args if isinstance(a, Tensor)))

    aten, name = torch.ops.aten, "_scaled_dot_product_"
    forward, backward = of_shapes(attention_forward), of_shapes(attention_backward)
    fused = [f"{name}{kind}_attention_backward" for kind in ("flash", "efficient", "cudnn")]
    cpu = f"{name}flash_attention_for_cpu"
    return {getattr(aten, cpu): forward} | {getattr(aten, op): backward for op in [f"{cpu}_backward", *fused]}
