"""Every name timm knows: taken apart and equal to timm's own forward, or refused with a reason. Hours on two cores.

    python tests/full/timm_names.py [--only PREFIX]

The smallest network of every class is compared number by number; of the others it is tested on the meta device that
they come apart. Exits with 1 if a number differs, or if fewer than 95 % of those that have a chain of blocks are taken.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import timm
import torch

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "support"), str(HERE.parents[2])]
from timm_twin import differences  # noqa: E402

import vpcore  # noqa: E402
from vpcore.models.split import NoChain  # noqa: E402

# Modules of timm whose networks are no chain of blocks, and why.
NO_CHAIN = {
    "coat": "four resolutions side by side",
    "crossvit": "two resolutions side by side",
    "hrnet": "two to four resolutions side by side",
    "tnt": "pixel and patch tokens side by side",
    "efficientvim": "logits are a weighted sum over stages",
    "nasnet": "every cell reads two cells before it",
    "pnasnet": "every cell reads two cells before it",
    "selecsls": "blocks pass lists",
}


def main() -> int:
    """Go over all names and print the number taken, the number refused and the reasons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names that begin so")
    only = parser.parse_args().only
    warnings.simplefilter("ignore")
    names = [name for name in timm.list_models() if name.startswith(only)]
    refused, wrong, taken, smallest = defaultdict(list), [], [], {}
    for name in names:
        try:
            with torch.device("meta"):
                net = timm.create_model(name)
                vpcore.load_backbone(name, pretrained=False)
        except NoChain as error:
            refused[str(error).partition("because ")[2]].append(name)
            continue
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
            continue
        taken.append(name)
        size, kind = sum(p.numel() for p in net.parameters()), type(net)
        smallest[kind] = min(smallest.get(kind, (size, name)), (size, name))
    for size, name in smallest.values():
        if size > 1e8:
            continue
        try:
            bad = [item for item in differences(name) if item[1] > 1e-5]
        except Exception as error:
            bad = [(f"{type(error).__name__}: {error}", 1.0)]
        wrong += [f"{name}: {what} off by {by:.1e}" for what, by in bad]
    modules = Counter(timm.models.model_entrypoint(name).__module__.rsplit(".", 1)[-1] for name in taken)
    rest = [name for group in refused.values() for name in group]
    chainless = [name for name in rest if _module(name) in NO_CHAIN or "encoder" in _reason(refused, name)]
    share = len(taken) / max(1, len(names) - len(chainless))
    print(
        f"{len(taken)} of {len(names)} names taken, {share:.1%} of those that have a chain; by module: {dict(modules)}"
    )
    for reason, group in refused.items():
        print(f"refused, {reason}: {', '.join(group)}")
    print(*wrong, sep="\n")
    return int(bool(wrong) or share < 0.95)


def _module(name: str) -> str:
    return timm.models.model_entrypoint(name).__module__.rsplit(".", 1)[-1]


def _reason(refused: dict[str, list[str]], name: str) -> str:
    return next(reason for reason, group in refused.items() if name in group)


if __name__ == "__main__":
    sys.exit(main())
