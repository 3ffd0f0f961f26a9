"""The learning rate of each method's paper, for Adam; `fit` takes it where none is given, and a search begins there."""

from __future__ import annotations

from torch import nn

ILM = "Chen et al. 2023 (arXiv:2211.11635), code: Adam"
VPT = "Jia et al. 2022 (arXiv:2203.12119), code: AdamW at 1e-4 … 5e-3 for networks that are tuned"
INSVP = "Liu et al. 2024 (InsVP), code: AdamW at 5e-4 … 5e-3"
SSF = "Lian et al. 2022 (arXiv:2210.08823): AdamW at 1e-3 (CIFAR) and 5e-3 (VTAB)"
PUBLISHED: dict[str, tuple[float, str]] = {  # rate, and where it comes from
    "none": (1e-1, f"{ILM}, linear probe"),
    "layer_probe": (1e-1, f"{ILM}, linear probe"),
    "mlp_head": (1e-3, f"{VPT}; usual for small networks trained with Adam too"),
    "full": (1e-2, f"{ILM}, pixel prompts"),
    "pad": (1e-2, f"{ILM}, pixel prompts; Bahng et al. 2022 (arXiv:2203.17274) have 40, for SGD"),
    "patch": (1e-2, f"{ILM}, pixel prompts"),
    "cluster": (1e-2, f"{ILM}, pixel prompts; DAM-VP's own rate belongs to its meta-training"),
    "multiscale": (1e-3, "arXiv:2512.03663, code: Adam"),
    "instance": (1e-3, INSVP),
    "instance_image": (1e-3, INSVP),
    "vpt_shallow": (1e-3, f"{INSVP}, its learned tokens; Jia et al. have 0.1 … 50, for SGD"),
    "vpt_deep": (1e-3, f"{INSVP}, its learned tokens; Jia et al. have 0.1 … 50, for SGD"),
    "activation": (1e-2, "none is known for AP (arXiv:2604.06440); ours, that of pixel prompts"),
    "norm_tuning": (1e-3, f"{SSF}; the same functions as norm tuning behind a norm"),
    "ssf": (1e-3, SSF),
    "bitfit": (1e-3, VPT),
    "lora": (1e-3, f"{VPT}; usual for LoRA too"),
    "partial": (1e-3, VPT),
    "full_tuning": (1e-3, VPT),
}
METHODS = {  # a class of vpcore, and what a grid calls the method
    "NoPrompt": "none",
    "LinearHead": "none",
    "MLPHead": "mlp_head",
    "PadPrompt": "pad",
    "PatchPrompt": "patch",
    "ClusterPrompt": "cluster",
    "MultiScalePrompt": "multiscale",
    "InstancePrompt": "instance",
    "InstanceImagePrompt": "instance_image",
    "ShallowTokens": "vpt_shallow",
    "DeepTokens": "vpt_deep",
    "ActivationPrompt": "activation",
    "NormTuning": "norm_tuning",
    "SSF": "ssf",
    "BitFit": "bitfit",
    "LoRA": "lora",
    "PartialK": "partial",
    "FullTuning": "full_tuning",
}


def default_rate(method: str | nn.Module) -> float:
    """Return the published learning rate of a method, for Adam and AdamW; `PUBLISHED` has each one's source.

    Args:
        method: a name as in a grid, "vpt_deep" or "activation:layer=3"; or a model, or a part of one. One rate holds
            for all that a model learns: the smallest of those of its parts that learn. What is no method of vpcore
            counts as a network whose weights are all tuned.

    Raises:
        ValueError: no rate is known for this name.
    """
    if isinstance(method, str):
        name = method.partition(":")[0]
        if name not in PUBLISHED:
            raise ValueError(f"no published rate for {name!r}: add it to PUBLISHED in vpcore/rates.py with its source")
        return PUBLISHED[name][0]
    names = [METHODS[kind.__name__] for kind in type(method).__mro__ if kind.__name__ in METHODS]
    learning = [part for part in method.children() if any(p.requires_grad for p in part.parameters())]
    if names or not learning:
        return default_rate([*names, "full_tuning"][0])
    return min(default_rate(part) for part in learning)
