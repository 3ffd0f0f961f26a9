"""Any timm network that is a chain of blocks, taken apart where one tensor alone crosses from block to block.

timm's classes differ in how they write `forward`, but they name their rows of blocks alike. So the forward pass is
traced once with torch.fx, blocks whole, and cut in front of every block where all that comes later needs one tensor of
the image. What does not depend on the image's content (rotary embeddings, shared position biases, sizes of maps) is
made again inside the piece that needs it. The net's own modules are shared, not copied.
"""

from __future__ import annotations

import inspect
import operator
import re
from functools import partial
from types import NoneType
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import TraceError
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_leaves, tree_map_only

from vpcore.backbone import Backbone, Size, Spec, check_size, in_proportion, patch_grid

# The names timm gives to its rows of blocks.
ROWS = re.compile(
    r"(encoder\.)?(blocks|stages|layers|features|levels|network|body|transformers|dense_stages|layer\d+|stage\d+|s\d+"
    r"|level\d+|serial_blocks\d+|repeat(_\d+)?|block\d+|Mixed_\w+|mixed_\w+|cell_\d+|reduction_cell_\d+)(\.|$)"
)
STAGE = re.compile(r"(.*?\d+)(\.|$)")
NUMBERED = re.compile(r"(.*\.)?(?!norm|down|patch)\w*\d")
# Where there are two heads, each reads tokens of its own: one each in distilled networks, in VOLO also the patches.
TOKEN_HEADS = ("VisionTransformerDistilled", "PoolingVisionTransformer", "VOLO")
NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)  # belong to the block before them
KINDS = {"vit": 3, "cnn": 4, "swin": 4}  # kind: axes of z


class NoChain(ValueError):
    """Says why a network cannot be taken apart at its blocks."""


def split_chain(
    net: nn.Module, name: str, image_size: Size, mean: tuple[float, ...], std: tuple[float, ...]
) -> Backbone:
    """Take a timm network apart into embed, blocks and pool.

    `kind` is "vit" where blocks pass tokens (B, N, D), "cnn" for maps (B, C, H, W), "swin" for maps (B, H, W, C). A
    network that changes between them is cut where it is what it is most often; the rest belongs to its neighbours.

    Raises:
        NoChain: the network is no chain of blocks; the message says where it breaks.
    """
    if not (hasattr(net, "forward_head") and hasattr(net, "get_classifier")):
        raise NoChain("it is an encoder, which makes no one vector an image")
    size = check_size(image_size)
    flow = _Flow(net.eval(), len(mean), size)
    kind, cuts = flow.choose()
    embed, *blocks, pool = (flow.piece(a, b) for a, b in zip([0, *cuts], [*cuts, len(flow.nodes) - 1], strict=True))
    shapes = tuple(tuple(flow.values[flow.crossing(cut)[0]].shape[1:]) for cut in cuts)
    features = flow.values[flow.nodes[-1]]
    if not isinstance(features, Tensor) or features.dim() != 2:
        raise NoChain("its features are not one vector an image")
    if any(isinstance(head, nn.ModuleList) for head in _heads(net)):  # efficientvim's: one head a stage
        raise NoChain("its logits are a sum over stages")
    patch = getattr(getattr(net, "patch_embed", None), "patch_size", None)
    patch = getattr(getattr(net.patch_embed, "proj", None), "stride", patch) if patch else None  # patches may overlap
    attention = (m for m in blocks[0].modules() if hasattr(m, "num_heads"))
    spec = Spec(
        name, kind, size[0], len(mean), features.shape[1], shapes, mean, std,
        patch_size=patch[0] if isinstance(patch, tuple) else patch,
        num_heads=next((m.num_heads for m in attention if isinstance(m.num_heads, int)), None),
        num_prefix_tokens=_prefix(net, shapes[0][0], size) if kind == "vit" else 0,
        free_tokens=kind == "vit" and _take_tokens(blocks, shapes, next(net.parameters()).device),
        class_token=any("cls_token" in name for name, _ in net.named_parameters()),
        image_width=None if size[0] == size[1] else size[1],
    )  # fmt: skip
    return Backbone(embed, blocks, pool, spec, _classifier(net, features.shape[1]))


def _prefix(net: nn.Module, num_tokens: int, size: tuple[int, int]) -> int:
    """Return how many tokens stand before the patches; some networks add theirs after the blocks."""
    prefix = getattr(net, "num_prefix_tokens", 0)
    return next(count for count in (prefix, *range(num_tokens)) if patch_grid(num_tokens - count, size))


def _take_tokens(blocks: list[nn.Module], shapes: tuple[tuple[int, ...], ...], device: torch.device) -> bool:
    """Tell whether all blocks run with one token more."""
    if len(set(shapes)) > 1:
        return False
    z = torch.zeros(1, shapes[0][0] + 1, shapes[0][1], device=device)
    try:
        with torch.no_grad():
            return all(block(z).shape == z.shape for block in blocks)
    except (RuntimeError, AssertionError):  # a size built into the blocks
        return False


def _classifier(net: Any, dim: int) -> nn.Module | None:
    """Return timm's classifier as a module from features (B, dim), or None where features alone do not decide."""
    heads = _heads(net)
    tokens = type(net).__name__ in TOKEN_HEADS and (len(heads) > 1 or getattr(net, "aux_head", None) is not None)
    if not heads or tokens:
        return None
    if isinstance(heads[0], nn.Conv2d):
        return nn.Sequential(nn.Unflatten(1, (dim, 1, 1)), heads[0], nn.Flatten())
    return heads[0] if len(heads) == 1 else Mean(heads)


def _heads(net: Any) -> list[nn.Module]:
    """Return what makes logits of features: one module, or two in a distilled network, or none."""
    given = net.get_classifier()
    heads = [getattr(head, "fc", head) for head in (given if isinstance(given, tuple) else (given,))]
    normed = {child: m for m in net.modules() if type(m).__name__ == "NormLinear" for child in m.children()}
    return [normed.get(head, head) for head in heads if not isinstance(head, (nn.Identity, NoneType))]


class Mean(nn.Module):
    """Average what several heads say of the same features, as distilled networks do."""

    def __init__(self, heads: list[nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, dim) to logits (B, classes)."""
        return torch.stack([head(features) for head in self.heads]).mean(0)


class _Headless(nn.Module):
    """A timm network without its classifier."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net.forward_head(self.net.forward_features(images), pre_logits=True)


class _Step(fx.Proxy):
    """A value of the trace that knows its length, and which of its parts are None."""

    tracer: _Whole

    def __len__(self) -> int:
        return len(self.tracer.values[self.node][0])

    def __iter__(self) -> Any:
        step: Any = self
        return iter([None if part is None else step[i] for i, part in enumerate(self.tracer.values[self.node][0])])


class _Whole(fx.Tracer):
    """Trace a network; blocks, and all that holds no block and no classifier, stay whole.

    Every step is run at once, on one black image and on two. So a question of the forward pass ("is this map as large
    as the position embedding?") has its answer, and a size of the batch can be told from one of the network.

    Attributes:
        values: what each step makes of one image and of two; of tensors of the images' content only the sizes.
        content: tensors that depend on the images.
        learned: what depends on parameters.
    """

    def __init__(self, net: Any, in_chans: int, size: tuple[int, int]) -> None:
        from timm.layers._fx import get_notrace_functions, get_notrace_modules

        super().__init__(autowrap_functions=tuple(get_notrace_functions()), param_shapes_constant=True)
        self.never, self.heads, self.running = tuple(get_notrace_modules()), _heads(net), False
        self.images = torch.zeros(2, in_chans, *size, device=next(net.parameters()).device)
        self.values: dict[fx.Node, tuple[Any, Any]] = {}
        self.content: set[fx.Node] = set()
        self.learned: set[fx.Node] = set()

    def create_node(self, *given: Any, **options: Any) -> fx.Node:
        node = super().create_node(*given, **options)
        self.running = True
        with torch.no_grad():
            one, two = self.run(node, 0), self.run(node, 1)
        self.running, inputs, tensors = False, set(node.all_input_nodes), _tensors(one)
        module = self.root.get_submodule(str(node.target)) if node.op == "call_module" else nn.Identity()
        if node.op == "placeholder" or (self.content & inputs and tensors):
            self.content.add(node)
            one, two = tree_map_only(Tensor, lambda t: t.to("meta"), (one, two))
        if isinstance(one, nn.Parameter) or list(module.parameters()) or (self.learned & inputs and tensors):
            self.learned.add(node)
        self.values[node] = one, two
        return node

    def run(self, node: fx.Node, which: int) -> Any:
        """Return what a step makes of one image (0) or two; in the place of what was made of them stand zeros."""

        def value(node: fx.Node) -> Any:
            zeros = partial(torch.zeros_like, device=self.images.device)
            made = self.values[node][which]
            return tree_map_only(Tensor, zeros, made) if node in self.content else made

        args, kwargs = fx.map_arg((node.args, node.kwargs), value)
        if node.op in ("placeholder", "output"):
            return self.images[: which + 1] if node.op == "placeholder" else args[0]
        if node.op == "get_attr":
            return operator.attrgetter(str(node.target))(self.root)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        step = node.target if callable(node.target) else self.root.get_submodule(str(node.target))
        return step(*args, **kwargs)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Step(node, self)

    def to_bool(self, obj: fx.Proxy) -> bool:
        return bool(self.values[obj.node][0])

    def call_module(self, m: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return forward(*args, **kwargs) if self.running else super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        return attr_val if self.running else super().getattr(attr, attr_val, parameter_proxy_cache)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        path = module_qualified_name.removeprefix("net").removeprefix(".")
        if not path or isinstance(m, self.never):
            return bool(path)
        if any(child is head and child is not m for child in m.modules() for head in self.heads):
            return False
        if not ROWS.match(path):
            return not any(ROWS.match(f"{path}.{name}") for name, _ in m.named_children())
        if isinstance(m, nn.Sequential):
            plain = any(type(c).__module__.startswith("torch.nn") and not list(c.children()) for c in m if c)
            return plain and not ROWS.fullmatch(path)
        return not (type(m).__name__.endswith("Stage") or hasattr(m, "blocks"))


class _Flow:
    """The traced steps of a network, what each makes, and which values depend on the images' content."""

    def __init__(self, net: nn.Module, in_chans: int, size: tuple[int, int]) -> None:
        self.net, self.whole, trace = net, _Headless(net), _Whole(net, in_chans, size)
        self.size = size
        try:
            self.nodes = list(trace.trace(self.whole).nodes)
        except (TraceError, TypeError, AttributeError, NotImplementedError) as error:
            reason = str(error).partition("\n")[0]
            raise NoChain(f"its forward pass cannot be followed ({reason})") from error
        for node in self.nodes:
            path = str(node.target)
            if node.op == "get_attr" and not path.startswith("net."):  # a constant of the forward pass
                net.register_buffer(path, getattr(self.whole, path))
            if node.op in ("call_module", "get_attr"):
                node.target = path.removeprefix("net.")
        self.place = {node: i for i, node in enumerate(self.nodes)}
        self.values = {node: one for node, (one, _) in trace.values.items()}
        self.twice = {node: two for node, (_, two) in trace.values.items()}
        self.content, self.learned = trace.content, trace.learned

    def crossing(self, cut: int) -> list[fx.Node]:
        """Return the values of the images that steps from `cut` on need of the steps before it."""
        before = (node for node in self.nodes[:cut] if node in self.content)
        return [node for node in before if any(self.place[user] >= cut for user in node.users)]

    def kinds(self, cut: int) -> set[str]:
        """Return what the crossing may be called: nothing if it is not one tensor of a known layout."""
        nodes = self.crossing(cut)
        if len(nodes) != 1 or not isinstance(self.values[nodes[0]], Tensor):
            return set()
        one, two = (run[nodes[0]].shape for run in (self.values, self.twice))
        if (2 * one[0], *one[1:]) != tuple(two):
            return set()
        found = {kind for kind, axes in KINDS.items() if len(one) == axes}
        rows = {"cnn": 2, "swin": 1}  # axes; the next is that of columns
        return {k for k in found if k == "vit" or in_proportion(one[rows[k]], one[rows[k] + 1], self.size)}

    def choose(self) -> tuple[str, list[int]]:
        """Return the kind of the network and the places to cut it: before each block, and behind the last."""
        starts, last = self.starts()
        if not starts:
            names = ", ".join(name for name, _ in self.net.named_children())
            raise NoChain(f"its parts ({names}) hold no row of blocks")
        found: dict[str, list[int]] = {kind: [] for kind in ("cnn", "vit", "swin")}
        for kind, cuts in found.items():
            for places in starts:
                cuts += [cut for cut in places if kind in self.kinds(cut)][:1]
        kind = max(found, key=lambda kind: len(found[kind]))
        ends = [cut for cut in range(last + 1, len(self.nodes) - 1) if kind in self.kinds(cut)]
        cuts = found[kind] + ends[:1]  # without an end of its kind, the last blocks belong to the pool
        if len(cuts) < 3:
            most = max(len(self.crossing(cut)) for places in starts for cut in places)
            what = f"up to {most} tensors of an image" if most > 1 else "lists or tensors of other layouts"
            raise NoChain(f"{what} pass from block to block")
        return kind, cuts

    def starts(self) -> tuple[list[list[int]], int]:
        """Return the steps each block may begin with (its stage's downsampling, or itself), and the last block."""
        starts: list[list[int]] = []
        last, embedded, before = -1, False, ""
        for i, node in enumerate(self.nodes):
            if node.op != "call_module" or not list((part := self.net.get_submodule(str(node.target))).parameters()):
                continue
            path = str(node.target)
            if ROWS.match(path) and not isinstance(part, NORMS):
                if embedded and (not starts or NUMBERED.fullmatch(before) or _stage(before) != _stage(path)):
                    starts.append([i])
                elif starts:
                    starts[-1].append(i)
                before, last = path, i
            embedded = True
        return starts, last

    def piece(self, start: int, stop: int) -> nn.Module:
        """Return the steps start … stop - 1 as one module of one tensor."""
        steps, entry = self.nodes[start:stop], self.crossing(start) if start else []
        leave = self.crossing(stop)[0]
        if start == 0:
            entry, steps = steps[:1], steps[1:]
        chain = [entry[0], *steps]
        if all(self.plain(b, a) for a, b in zip(chain, steps, strict=False)):
            modules = [self.net.get_submodule(str(step.target)) for step in steps]
            acting = [m for m in modules if not (type(m) is nn.Identity or (type(m) is nn.Dropout and m.p == 0))]
            return acting[0] if len(acting) == 1 else nn.Sequential(*acting)
        graph = fx.Graph()
        z = graph.placeholder("z")
        made: dict[fx.Node, Any] = {entry[0]: z}

        def value(node: fx.Node) -> Any:
            if node not in made:
                fixed = node not in self.content and not start <= self.place[node] < stop
                if _tensors(self.values[node]):
                    made[node] = self.constant(node, graph) or graph.node_copy(node, value)
                else:
                    made[node] = self.number(node, graph, z) if fixed else graph.node_copy(node, value)
            return made[node]

        for step in steps:
            if step in self.content:
                made[step] = graph.node_copy(step, value)
                if made[step].kwargs.get("rope") is not None:
                    self._free(made[step], step, graph)
        graph.output(value(leave))
        if start:
            return fx.GraphModule(self.net, graph, "Piece")
        for node in graph.nodes:  # weights of embed are called embed.net.…
            node.target = f"net.{node.target}" if node.op in ("call_module", "get_attr") else node.target
        return fx.GraphModule(self.whole, graph, "Piece")

    def _free(self, made: fx.Node, step: fx.Node, graph: fx.Graph) -> None:
        """Let a block that rotates its patch tokens take more tokens than the image has."""
        self.net.rotate_more = RotateMore(self.values[step.all_input_nodes[0]].shape[1])
        with graph.inserting_before(made):
            rope = graph.call_module("rotate_more", (made.kwargs["rope"], made.args[0]))
        made.kwargs = {**made.kwargs, "rope": rope}

    def plain(self, step: fx.Node, z: fx.Node) -> bool:
        """Tell whether a step calls a module on z alone; options at their defaults do not count."""
        if step.op != "call_module" or step.args != (z,):
            return False
        known = inspect.signature(self.net.get_submodule(str(step.target)).forward).parameters
        return all(option in known and value is known[option].default for option, value in step.kwargs.items())

    def constant(self, node: fx.Node, graph: fx.Graph) -> fx.Node | None:
        """Keep a tensor as a buffer where neither the images nor anything learned changes it."""
        one, two = self.values[node], self.twice[node]
        if node in self.content | self.learned or not isinstance(one, Tensor) or one.shape != two.shape:
            return None
        name = f"constant_{self.place[node]}"
        if not hasattr(self.net, name):
            self.net.register_buffer(name, one)
        return graph.get_attr(name)

    def number(self, node: fx.Node, graph: fx.Graph, z: fx.Node) -> Any:
        """Return a size, device or type found in an earlier piece as a constant, or as a question to `z`."""

        def size(one: Any, two: Any) -> Any:
            return one if one == two else graph.call_function(operator.mul, (graph.call_method("size", (z, 0)), one))

        one, two = self.values[node], self.twice[node]
        if isinstance(one, (torch.device, torch.dtype)):
            return graph.call_function(getattr, (z, type(one).__name__))
        return type(one)(map(size, one, two)) if isinstance(one, (tuple, list)) else size(one, two)


class RotateMore(nn.Module):
    """Lengthen a rotary embedding (…, patches, sines and cosines), so that tokens beyond `tokens` are not turned.

    They stand behind the prefix tokens, before the patches; no angle means sine 0 and cosine 1.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens

    def forward(self, rope: Tensor, z: Tensor) -> Tensor:
        """Return the embedding for the tokens of z (B, tokens and more, D)."""
        sines, cosines = rope.chunk(2, -1)
        room = (0, 0, z.shape[1] - self.tokens, 0)
        return torch.cat([F.pad(sines, room), F.pad(cosines, room, value=1.0)], -1) if room[2] else rope


def _tensors(value: Any) -> bool:
    return any(isinstance(leaf, Tensor) for leaf in tree_leaves(value))


def _stage(path: str) -> str:
    found = STAGE.match(path)
    return found[1] if found else path
