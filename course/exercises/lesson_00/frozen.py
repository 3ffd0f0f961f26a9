"""Lesson 00: the exercises about what learns: x + δ, freezing, counting."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.check import FunctionExercise, JudgeExercise, Mistake
from course.exercises.lesson_00 import answers, wrong

HERE = "course.exercises.lesson_00.answers"

FIRST = FunctionExercise(
    id="00-first",
    points=1,
    reference=answers.prompted,
    cases=answers.prompted_cases,
    gradient=True,
    hints=(
        "The sentence above the exercise is a formula; write it with Python's +.",
        "torch repeats δ along the batch by itself; you need no loop.",
        "return x + delta",
    ),
    mistakes=(
        Mistake("you return δ alone: the image must still be there, x + δ", lambda x, delta: delta.expand_as(x)),
        Mistake("you subtract δ, and a prompt is added", lambda x, delta: x - delta),
        Mistake("you multiply by δ, and a prompt is added", lambda x, delta: x * delta),
        Mistake("you average x and δ: add them, without a division", lambda x, delta: (x + delta) / 2),
    ),
    forbids=(f"{HERE}.prompted", "vpcore.prompts.activation.ActivationPrompt"),
)


def judge_freeze(answer: Any, case: tuple[int, int]) -> str | None:
    """Say which meaning of frozen is missing, or None."""
    net = answers.network(*case)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    got = answer(net)
    if got is not net:
        return _other_network(got)
    said = _parameters(net) or _modes(net)
    if said:
        return said
    after = net.state_dict()
    lost = [name for name in before if name not in after or not after[name].numel()]  # empty: as the sandbox tells it
    if lost:
        return f"your freeze takes {lost[0]} away, and eval mode needs it: leave batch norm its statistics"
    changed = [name for name in before if not torch.equal(after[name], before[name])]
    if changed:
        return f"your freeze changes {changed[0]}: frozen weights keep the values they have"
    return _gradient_through(net, case[0])


def _other_network(got: Any) -> str:
    if got is None:
        return "your freeze returns None: end it with `return network`"
    if isinstance(got, nn.Module):
        return "you return another network, and the one you were given still learns: change that one, without a copy"
    return "your freeze must return the network it was given"


def _parameters(net: nn.Module) -> str | None:
    learning = [name for name, parameter in net.named_parameters() if parameter.requires_grad]
    total = len(list(net.parameters()))
    if len(learning) == total:
        return "every parameter still requires a gradient: call requires_grad_(False) on each of network.parameters()"
    if learning:
        kind = type(net.get_submodule(learning[0].rpartition(".")[0])).__name__
        return f"{len(learning)} of {total} parameters still require a gradient, the first in a {kind}: freeze all"
    if any(parameter.grad is not None for parameter in net.parameters()):
        return (
            "old gradients are still stored, and an optimizer built earlier would take another step with them: "
            "set parameter.grad = None"
        )
    return None


def _modes(net: nn.Module) -> str | None:
    training = [type(module).__name__ for module in net.modules() if module.training]
    if not training:
        return None
    if net.training:
        return "the network is still in training mode, so batch norm would go on learning its statistics: call eval()"
    return f"the network says eval, but the {training[0]} inside it is still in training mode: use network.eval()"


def _gradient_through(net: nn.Module, chans: int) -> str | None:
    images = torch.randn(2, chans, 6, 6, requires_grad=True)
    output = net(images)
    if not output.requires_grad:
        return (
            "no gradient gets through to the image any more, and a prompt in front would never learn: no_grad "
            "belongs to the code that calls the network"
        )
    output.sum().backward()
    return None if images.grad is not None and bool(images.grad.any()) else "the gradient at the image is zero"


FREEZE = JudgeExercise(
    id="00-freeze",
    points=3,
    reference=answers.freeze,
    judge=judge_freeze,
    cases=answers.freeze_cases,
    hints=(
        "Two of the three meanings are for this function; the third, no_grad, belongs to the code that calls it.",
        "for parameter in network.parameters(): requires_grad_(False), and forget what is in parameter.grad.",
        "network.eval() reaches every module inside; return the network itself, not a copy.",
    ),
    forbids=(f"{HERE}.freeze", "vpcore.backbone.Backbone.freeze"),
)

COUNT = FunctionExercise(
    id="00-count",
    points=2,
    reference=answers.count_parameters,
    cases=answers.count_cases,
    hints=(
        "model.parameters() gives every parameter tensor once, also one that two layers share.",
        "parameter.numel() is how many numbers a tensor holds; parameter.requires_grad says whether they learn.",
        "Start learned and frozen at 0; in a loop add numel() to one of them; return learned, frozen.",
    ),
    mistakes=(
        Mistake("you count tensors, and each holds many numbers: add up numel()", wrong.count_tensors),
        Mistake("your two counts are the wrong way round: learned first, frozen second", wrong.count_swapped),
        Mistake("your second count is all parameters: it should hold the frozen ones alone", wrong.count_all),
        Mistake(
            "you count buffers too, such as batch norm's statistics: they are no parameters, use model.parameters()",
            wrong.count_buffers,
        ),
        Mistake(
            "you count a tensor that two layers share twice: model.parameters() of the whole model gives it once",
            wrong.count_twice,
        ),
    ),
    forbids=(f"{HERE}.count_parameters", "vpcore.count.count", "vpcore.prompts.base.Prompt.num_learned"),
)
