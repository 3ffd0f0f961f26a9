"""torch.compile takes every method whole: one graph, no break, the same numbers."""

import pytest
import torch
from nets import floats, pixels, small_vit

import vpcore

METHODS = [*vpcore.PROMPTS, *(f"{name} tuning" for name in vpcore.TUNINGS)]


def build(method: str) -> vpcore.Prompted:
    backbone, (name, _, tuned) = small_vit(), method.partition(" ")
    prompt = vpcore.NoPrompt(backbone.spec) if tuned else vpcore.PROMPTS[name](backbone.spec)
    prompt.prepare(backbone, pixels(backbone))
    tuning = vpcore.TUNINGS[name](backbone) if tuned else None
    return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3), tuning=tuning)


def gradients(model: vpcore.Prompted, run, images: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad(set_to_none=True)
    scores = run(images)
    torch.nn.functional.cross_entropy(scores, torch.arange(len(images)) % 3).backward()
    return [scores, *(p.grad for p in model.parameters() if p.grad is not None)]


@pytest.mark.parametrize("method", METHODS)
def test_no_graph_break(method: str) -> None:
    torch._dynamo.reset()
    model, images = build(method).train(), floats(small_vit(), 4)
    expected = gradients(model, model, images)
    whole = torch.compile(model, backend="eager", fullgraph=True, dynamic=False)  # fullgraph: a break is an error
    found = gradients(model, whole, images)
    assert len(found) == len(expected) > 1
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_a_break_would_be_seen() -> None:
    torch._dynamo.reset()
    model = build("none")
    model.prompt.activation = lambda z, layer, context: z if z.sum() > 0 else -z  # type: ignore[method-assign]
    with pytest.raises(torch._dynamo.exc.Unsupported, match=r"[Dd]ata-dependent|Dynamic control flow"):
        torch.compile(model, backend="eager", fullgraph=True)(floats(small_vit(), 4))
