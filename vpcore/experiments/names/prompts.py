"""Prompts and their options as text: "multiscale:fusion=concat,scales=1+4"."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from vpcore.prompts import PROMPTS


def split_prompts(text: str) -> list[str]:
    """Cut "none,multiscale:fusion=concat,init=kaiming" at the commas between prompts, not those between options."""
    prompts: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if prompts and re.match(r"[^:=]+=", part):
            prompts[-1] += "," + part
        else:
            prompts.append(part)
    return prompts


def read_prompt(text: str, table: Mapping[str, Callable[..., Any]] = PROMPTS) -> tuple[str, dict[str, Any]]:
    """Read "multiscale:fusion=concat,scales=1+4" into a name and its options.

    Args:
        text: a name of the table, and options of what stands there.
        table: what there is to choose from.

    Raises:
        ValueError: unknown prompt, unknown option, or an option without a value.
    """
    name, _, rest = text.partition(":")
    if name not in table:
        raise ValueError(f"unknown prompt {name!r}: choose one of {', '.join(table)}")
    parameters = inspect.signature(table[name]).parameters
    known = {key: p.default for key, p in parameters.items() if key not in ("spec", "backbone", "seed")}
    options: dict[str, Any] = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals or not value or key not in known:
            raise ValueError(
                f"unknown option {pair!r} of prompt {name}: write option=value with {', '.join(known) or 'none'}"
            )
        options[key] = _read_value(value, many=isinstance(known[key], tuple))
    return name, options


def prompt_label(name: str, options: dict[str, Any]) -> str:
    """Write a prompt and its options the one way: sorted, lists joined by +."""
    words = {
        key: "+".join(map(str, value)) if isinstance(value, tuple) else str(value) for key, value in options.items()
    }
    return name + (":" if words else "") + ",".join(f"{key}={words[key]}" for key in sorted(words))


def _read_value(text: str, many: bool) -> Any:
    if "+" in text.strip("+") or many:
        return tuple(_read_value(part, many=False) for part in text.split("+"))
    if text in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
