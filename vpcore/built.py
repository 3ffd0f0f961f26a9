"""What a prompt, a tuning or a head was built with, so that it can be built again from a file."""

from __future__ import annotations

import inspect
from typing import Any


class Built:
    """Notes in `built` the options that an object is made with, all but the backbone or its sizes.

    `vpcore.load_model` makes the object again from them. Copies and pickles keep the note.
    """

    built: dict[str, Any]

    def __new__(cls, *given: Any, **options: Any) -> Any:
        """Make the object as `object.__new__` does, and note its options."""
        made = object.__new__(cls)
        try:
            arguments = inspect.signature(cls.__init__).bind_partial(made, *given, **options).arguments
        except TypeError:  # __init__ says it better
            arguments = {}
        noted = {key: value for key, value in arguments.items() if key not in ("self", "spec", "backbone")}
        made.__dict__["built"] = noted
        return made
