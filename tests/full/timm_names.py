"""Every name timm knows: taken apart and equal to timm's own forward, or refused with a reason. An hour on one core.

    python tests/full/timm_names.py [--only PREFIX ...] [--most N] [--all] [--minutes M] [--results FILE] [--table FILE]

Of every name it is tested on the meta device that its network comes apart. Then the smallest network of every class is
compared number by number at its own size, with `--all` every other one after them, the smallest first, as long as
`--minutes` last. With a file of results, each name is written there at once and not tried again.
Exits with 1 if a number differs, a name fails, or fewer than 95 % of those that have a chain of blocks are taken.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import timm
import torch

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "support"), str(HERE.parents[2])]
from timm_twin import differences  # noqa: E402

import vpcore  # noqa: E402
from vpcore.models import timm_nets  # noqa: E402
from vpcore.models.split import NoChain  # noqa: E402

LARGEST = 100_000_000  # weights of a network that is compared number by number
# Modules of timm whose networks are no chain of blocks, and why.
NO_CHAIN = {
    "crossvit": "two resolutions side by side",
    "hrnet": "two to four resolutions side by side",
    "tnt": "pixel and patch tokens side by side",
    "efficientvim": "logits are a weighted sum over stages",
    "nasnet": "every cell reads two cells before it",
    "pnasnet": "every cell reads two cells before it",
    "selecsls": "blocks pass lists",
}

Row = dict[str, Any]


def main() -> int:
    """Go over the names and print the number taken, the number refused and the reasons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], metavar="PREFIX", help="names that begin so")
    parser.add_argument("--most", type=int, default=1000, metavar="N", help="only the first N of every file of timm")
    parser.add_argument("--all", action="store_true", help="compare all networks of up to 100 million weights")
    parser.add_argument("--minutes", type=float, default=math.inf, metavar="M", help="compare no more after so many")
    parser.add_argument("--results", type=Path, help="JSON lines; names in it are not tried again")
    parser.add_argument("--table", type=Path, help="write families and the prompts that fit there, in Markdown")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    lines = chosen.results.read_text().splitlines() if chosen.results and chosen.results.exists() else []
    done = {(row["name"], row["step"]): row for row in map(json.loads, lines)}
    names = [name for name in spread(timm.list_models(), chosen.most) if name.startswith(tuple(chosen.only))]

    def row(name: str, step: str) -> Row:
        if (name, step) not in done:
            done[name, step] = {"name": name, "step": step, **STEPS[step](name)}
            if chosen.results:
                with chosen.results.open("a") as file:
                    file.write(json.dumps(done[name, step]) + "\n")
        return done[name, step]

    came = [row(name, "split") for name in names]
    if chosen.table:
        chosen.table.write_text(table(came), encoding="utf-8")
    smallest: dict[str, Row] = {}
    for each in came:
        least = smallest.setdefault(each["class"], each)
        if each["taken"] and (not least["taken"] or each["size"] < least["size"]):
            smallest[each["class"]] = each
    first = {each["name"] for each in smallest.values()}
    small = [each for each in came if each["taken"] and each["size"] <= LARGEST]
    small = sorted((each for each in small if chosen.all or each["name"] in first), key=lambda each: each["size"])
    order = [each["name"] for each in sorted(small, key=lambda each: each["name"] not in first)]
    end = time.monotonic() + 60 * chosen.minutes
    compared = [row(name, "numbers") for name in order if (name, "numbers") in done or time.monotonic() < end]
    return report(came, compared, len(order) - len(compared))


def spread(names: list[str], most: int) -> list[str]:
    """Return the first name of every file of timm, then the second of every file, and so on, up to so many of each."""
    seen: Counter[str] = Counter()
    places = {name: seen.update([module(name)]) or seen[module(name)] for name in names}
    return sorted((name for name in places if places[name] <= most), key=lambda name: places[name])


def split(name: str) -> Row:
    """Take one network apart on the meta device, and note which prompts fit it."""
    made: list[Any] = []
    create = timm_nets._create
    timm_nets._create = lambda *given, **options: made.append(create(*given, **options)) or made[0]
    reason, fault, kind, unfit = "", "", "", {}
    try:
        with torch.device("meta"):
            spec = vpcore.load_backbone(name, pretrained=False).spec
        kind = spec.kind
        for method, make in vpcore.PROMPTS.items():
            try:
                make(spec)
            except ValueError as error:
                unfit[method] = str(error)
    except NoChain as error:
        reason = str(error).partition("because ")[2].removesuffix(": take another")
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
    timm_nets._create = create
    size = sum(weight.numel() for weight in made[0].parameters()) if made else 0
    sort = {"class": type(made[0]).__name__ if made else "", "size": size, "kind": kind, "unfit": unfit}
    return {**sort, "taken": not reason and not fault, "refused": reason, "fault": fault}


def numbers(name: str) -> Row:
    """Compare one network with timm's own forward."""
    try:
        return {"off": dict(differences(name)), "fault": ""}
    except Exception as error:
        return {"off": {}, "fault": f"{type(error).__name__}: {error}"}


STEPS = {"split": split, "numbers": numbers}


def report(came: list[Row], compared: list[Row], left: int) -> int:
    """Print what came of the names, and tell by the exit status whether it is enough."""
    refused: dict[str, list[str]] = defaultdict(list)
    for each in came:
        if each["refused"]:
            refused[each["refused"]].append(each["name"])
    chainless = [each for each in came if module(each["name"]) in NO_CHAIN or "is an encoder" in each["refused"]]
    taken = [each["name"] for each in came if each["taken"]]
    share = len(taken) / max(1, len(came) - sum(not each["taken"] for each in chainless))
    wrong = [f"{each['name']}: {each['fault']}" for each in [*came, *compared] if each["fault"]]
    off = [(each["name"], what, by) for each in compared for what, by in each["off"].items()]
    wrong += [f"{name}: {what} off by {by:.1e}" for name, what, by in off if not by <= 1e-5]
    print("taken, by module:", *(f"{name} {count}" for name, count in Counter(map(module, taken)).items()))
    for reason, group in refused.items():
        kinds = {module(name): NO_CHAIN.get(module(name), "") for name in group}
        print(f"refused, {reason}: {', '.join(group)} {kinds}")
    print(*wrong, sep="\n")
    print(f"{len(taken)} of {len(came)} names taken, {share:.1%} of those that have a chain of blocks")
    figures = {"names": len(came), "taken": len(taken), "share": round(share, 4), "compared": len(compared)}
    print("figures:", json.dumps({**figures, "left": left, "wrong": len(wrong)}))
    return int(bool(wrong) or share < 0.95)


TITLE = """# Which networks of timm, and which prompts fit them

A family is a file of timm. `load_backbone` takes every network that is a chain of blocks; prompts of pixels, `cluster`
and `activation` fit all of them. Token prompts (`vpt_shallow`, `vpt_deep`, `instance`) need blocks that pass tokens
and take more of them. `instance` makes tokens of a dim that 3 divides, and of any other with `map_tokens=True`.
`python tests/full/timm_names.py --table vpcore/models/families.md` writes this page.

| family | networks tried and taken | blocks pass | token prompts | what does not fit, and why |
|---|---|---|---|---|
"""
PASS = {"vit": "tokens", "cnn": "maps", "swin": "maps, channels last"}
WHY = {  # what a refusal says, and what the page says
    "needs a ViT's token sequence": "token prompts: there is no sequence of tokens",
    "take no more tokens": "token prompts: the blocks take no more tokens than the image has",
    "map_tokens": "`instance` without `map_tokens`: 3 does not divide the dim",
}


def table(came: list[Row]) -> str:
    """Return the page of families, in Markdown."""
    lines = []
    for family in sorted({module(each["name"]) for each in came}):
        of = [each for each in came if module(each["name"]) == family]
        taken = [each for each in of if each["taken"]]
        passed = sorted({PASS[each["kind"]] for each in taken})
        free = [each for each in taken if "vpt_deep" not in each["unfit"]]
        tokens = "yes" if free and len(free) == len(taken) else f"{len(free)} of {len(taken)}" if free else "no"
        said = [text for each in taken for text in each["unfit"].values()]
        why = [words for part, words in WHY.items() if any(part in text for text in said)]
        why += sorted({f"networks: {refusal(each)}" for each in of if not each["taken"]})
        cells = (f"{len(taken)} of {len(of)}", ", ".join(passed) or "–", tokens if taken else "–", "; ".join(why))
        lines.append(f"| {family} | {' | '.join(cells)} |\n")
    return TITLE + "".join(lines)


def refusal(row: Row) -> str:
    """Return why a network is not taken."""
    return NO_CHAIN.get(module(row["name"]), row["refused"] or row["fault"])


def module(name: str) -> str:
    """Return the file of timm that a network is from."""
    return timm.models.model_entrypoint(name).__module__.rsplit(".", 1)[-1]


if __name__ == "__main__":
    sys.exit(main())
