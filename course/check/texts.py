"""Every sentence a learner reads from a check, in one place, as templates for `str.format`."""

from __future__ import annotations

# Outcomes
UNATTEMPTED = "not attempted yet"
WRONG = "not yet: {sentence}"
PASSED = "passed ({points})"
RECORDED = "recorded ({words}); graded by your instructor with a rubric"
RAISED = "your code raised {error}"
RAISED_WITH = ", with {words}"
RAISED_AT = "your code raised {error} (line `{line}`)"
TIME = "your code ran longer than {seconds:g} s: look for a loop that never ends"
EXIT = "your code called exit: a function hands back its result with `return`"
MEMORY = "your code asked for more memory than there is: look for a shape that is far too large"
INTERNAL = "the check itself failed ({error}): this is a fault of the course, not yours; please report it"
LIBRARY = "you called the library ({name}); write the lines yourself"
TWO_ARGUMENTS = 'give the exercise and your answer, such as check("02-average", average_maps)'
HINT_WHICH = 'give the exercise, such as check.hint("02-average")'
UNKNOWN = "there is no exercise of this name{guess}"
UNKNOWN_GUESS = "; did you mean {name}?"

# Kinds of answer
NOT_CALLABLE = "check wants the function itself, and you gave {got}: write check(id, name) without calling it"
NOT_CLASS = "check wants the class itself, and you gave {got}: write check(id, Name) without brackets"
NOT_MODULE = "your class makes {got}: let it inherit from torch.nn.Module"
NO_METHOD = "your class has no method `{method}`: define it, with exactly this name"

# Type
RETURNED_NONE = "{what} is None: did you forget `return`?"
NONE_HERE = "your result is None, and here {want} is asked for"  # where None is right for other inputs
PART_NONE = "{what} is None, and {want} is asked for"
ELLIPSIS = "{what} is still `...`: replace it by your answer"
TENSOR_FROM_ARRAY = "{what} is a NumPy array: stay in torch, or finish with torch.from_numpy"
TENSOR_FROM_NUMBER = "{what} is {got}: leave it a tensor, without .item() or float()"
TENSOR_FROM_LIST = "{what} is {got}: join its tensors with torch.stack or torch.cat"
TENSOR_SUBCLASS = "{what} is {got}, a subclass of Tensor: return a plain torch.Tensor"
TENSOR_META = "{what} lies on the device `meta`, which holds no numbers: compute it on the device of the input"
TENSOR_SPARSE = "{what} is a sparse tensor: return a dense one, with .to_dense()"
TYPE = "{what} is {got}, and {want} is asked for"
NUMBER_FROM_ENTRY = "{what} is {got} of shape {shape}, and a plain number is asked for: take it out with .item()"
NUMBER_FROM_TENSOR = "{what} is {got} of shape {shape}, and one number is asked for"
ITEMS_ORDER = "{what} has the right items in another order: what is at [{got}] should be at [{want}]"
LENGTH = "{what} has {got}, and {want} asked for"
KEYS = "{what} has the keys {got}, and {want} are asked for"

# Dtype
DTYPE_INTEGER = "{what} has dtype {got}, which drops everything after the point: compute in floating point"
DTYPE_BOOL = "{what} has dtype {got}, and {want} is asked for: a comparison gives True and False, not numbers"
DTYPE_FLOAT = "{what} has dtype {got}, and whole numbers ({want}) are asked for: use // or .long()"
DTYPE_HALF = "{what} has dtype {got}, which keeps three digits: stay in the dtype of the input ({want})"
DTYPE = "{what} has dtype {got}, and {want} is asked for"

# Shape
SHAPE_ORDER = (
    "{what} has shape {got}: these are the dimensions of {want} in another order; look for swapped sizes or a "
    "missing .permute"
)
SHAPE_ONES_MISSING = "{what} has shape {got}, and {want} is asked for: keep the dimension of size 1 (keepdim)"
SHAPE_ONES_EXTRA = "{what} has shape {got}, and {want} is asked for: drop the dimension of size 1 (squeeze)"
SHAPE_FLAT = "{what} has shape {got}: the right number of numbers, to be arranged as {want}"
SHAPE_FEWER = "{what} has shape {got}, and {want} is asked for: you reduced over a dimension too many"
SHAPE_MORE = "{what} has shape {got}, and {want} is asked for: a dimension is still to be reduced (mean, sum or index)"
SHAPE_SIZE = "{what} has shape {got}, and {want} is asked for: dimension {dim} is {size}, not {wanted}"

# Values
NOT_FINITE = (
    "{what} holds {kind}: look for a division by zero, a logarithm of zero, the root of a negative number or an "
    "empty mean"
)
ALL_ZERO = "{what} is all zeros: nothing of the input reaches it"
ALL_SAME = "{what} is {number} everywhere, and its entries should differ"
SIGN = "{what} has the opposite sign"
FACTOR = "{what} is {factor} times what it should be: look for a missing or doubled factor"
FACTOR_NEARLY = "{what} is {factor} times what it should be"
OFFSET = "{what} is off by {offset} everywhere: look for a term that is missing or too much"
FLIPPED = "{what} is right but reversed along dimension {dim}"
SWAPPED = "{what} is right but its last two dimensions (rows and columns) are swapped"
REORDERED = "{what} holds the right numbers in another order"
MISPLACED = "{what} holds the right numbers in other places: look at each reshape, view, permute and index"
INVERTED = "{what} has True and False the wrong way round"
LACKS = "what is missing from {what} is exactly {name}: add it"
TWICE = "{what} has exactly {name} in it once too often: do not add it"
OPPOSITE = "{name} is in {what} with the opposite sign"
TIMES = "{what} is the right one times {name}: look for a factor too much, or a division that is missing"
OVER = "{what} is the right one divided by {name}: look for a factor that is missing, or a division too much"
NUMBER_SIGN = "{what} is {got}, the right size with the opposite sign"
NUMBER_ONE_OFF = "{what} is {got}, one away from the right number"
NUMBER_FACTOR = "{what} is {got}, and that is {factor} times what it should be: look for a missing or doubled factor"
NUMBER_ROUNDED = "{what} is {got}, which is rounded: return all its digits"
NUMBER_LARGE = "{what} is {got}, and that is too large"
NUMBER_SMALL = "{what} is {got}, and that is too small"
OTHER_VALUE = "{what} is {got}, and another value is right there"
DIFFERS = "{share} of {what} {differ}; the first is at {index}: you have {got}, it should be {want}"
NEARLY = "; so small a difference may come from a constant such as eps, from n − 1 in place of n, or from rounding"

WITH_INPUT = " (with {words})"

# Gradient
NO_GRADIENT = "no gradient reaches {where}: avoid .detach(), .item(), .data, numpy and torch.no_grad on the way"
GRADIENT = (
    "the values are right, but the gradient to {where} is not: {sentence}. Does a .detach() cut a part of the way?"
)

# Inputs
TOUCHED = "your code changed its input{where}: {how}"
TOUCHED_TENSOR = "work on a copy, x.clone(); -=, x[i] = and methods that end in _ write into x itself"
TOUCHED_ARRAY = "work on a copy, x.copy(); -= and x[i] = write into x itself"
TOUCHED_LIST = "work on a copy, list(x); pop, append and x[i] = change x itself"
TOUCHED_MODULE = "leave its weights, its mode and requires_grad as they are"
TOUCHED_ELSE = "work on a copy"
ALSO_TOUCHED = "; your code also changes its input{where}, which may be the reason"

# Modules
PLAIN_TENSOR = "`{name}` is a plain tensor, which no optimizer finds: wrap it in torch.nn.Parameter"
FROZEN = "`{name}` is a Parameter with requires_grad=False: it would never learn"
NOTHING_LEARNED = "your module has no learned tensor: store a torch.nn.Parameter in __init__"
LEARNED_COUNT = "your module learns {got}, and {want} are asked for"
LEARNED_SHAPES = "your module learns tensors of shape {got}, and {want} are asked for"

# Judged, quiz, written
REJECTS_GOOD = "your test rejects a right implementation ({words}): it asks for more than must hold"
ACCEPTS_BAD = "your test accepts a wrong implementation, one that {words}: compare what it gives with what must hold"
ACCEPTS_BY_NONE = "your test returns None for a wrong implementation, one that {words}: return False, or use assert"
CHOICE_UNKNOWN = "{choice} is none of the choices {choices}"
CHOICE_WRONG = "{choice}: {reason}"
CHOICE_MORE = "right so far, and {count} more to find"
CHOICE_ONE = "choose one of {choices}"
NOT_TEXT = "your answer is {got}: write it as text between quotation marks"
TOO_SHORT = "your answer has {got}; give at least {want}"

# Hints and labels
HINT = "hint {number} of {count} ({id}): {text}"
HINT_SEEN = "hint for what the check saw ({id}): {text}"
SOME_RIGHT = "your answer is right with {right}, and wrong with {wrong}: what is different there?"
FOLLOW = "with {words} your answer is {got}, and {want} is right: go through your lines with this input by hand"
LOOK_AT_SHAPES = "with {words}, print the shape after each of your lines: where does it leave what you expect?"
HINT_LAST = "no further hint ({id}); the last one was: {text}"
HINT_NONE = "no hint ({id})"
YOURS = "your code"
LIBRARY_MADE = "vpcore ({exercises} not passed yet)"
MIXED = "your code ({ids}) and {rest}"


def plural(count: float, one: str, many: str | None = None) -> str:
    """Say a count with its noun: "1 point", "2 points"."""
    return f"{count:g} {one if count == 1 else many or one + 's'}"


def join(names: list[str]) -> str:
    """Say a list: "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
