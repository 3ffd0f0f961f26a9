"""Every prompt and every tuning on one small network of every family of timm: it learns, or says why it does not fit.

A family is a file of timm. Two steps of training must reach every learned tensor and leave all else as it was, to the
bit. A few families run here; VPCORE_FAMILIES=all runs all of them, an hour (.ci/full families).
"""

import ast
import os
from functools import lru_cache

import pytest
import timm
import torch
from nets import pixels
from timm_twin import randomize, require
from torch import nn

import vpcore
from vpcore.models.split import NoChain, split_chain

SAMPLE = """
convnext convnext_atto_rms 32
eva vit_tiny_patch16_dinov3_qkvb 32 depth=2
levit levit_128s 128
nfnet test_nfnet 32
pvt_v2 pvt_v2_b0 64
swin_transformer_v2 swinv2_tiny_window8_256 64 img_size=64 window_size=4 embed_dim=24 depths=(2,1) num_heads=(2,4)
vision_transformer vit_dwee_patch16_reg1_gap_256 32 img_size=32 depth=2
"""
REST = """
beit beit_base_patch16_224 32 img_size=32 depth=2 embed_dim=48 num_heads=4
byoanet lambda_resnet26t 64
byobnet test_byobnet 32
cait cait_xxs24_224 32 img_size=32 depth=2
coat coat_lite_tiny 64
convit convit_tiny 32
convmixer convmixer_768_32 28
cpubone cpubone_nano 64
csatv2 csatv2 128
cspnet cs3darknet_focus_s 32
cspnext cspnext_tiny 32
davit davit_tiny 64 depths=(1,1) embed_dims=(24,48) num_heads=(1,2)
deepseek_vit deepseek_vit_412m 56 img_size=56 depth=2 embed_dim=48 num_heads=4
deit deit_tiny_distilled_patch16_224 32 img_size=32 depth=2
densenet densenet121 32
dla dla46_c 32
dpn dpn48b 32
edgenext edgenext_xx_small 32
efficientformer efficientformer_l1 224
efficientformer_v2 efficientformerv2_s0 128
efficientnet test_efficientnet_gn 32
efficientvit_mit efficientvit_b0 32
efficientvit_msra efficientvit_m1 128
fasternet fasternet_t0 32
fastvit fastvit_t8 64
focalnet focalnet_tiny_srf 64
gcvit gcvit_xxtiny 224
ghostnet ghostnet_050 32
hardcorenas hardcorenas_a 32
hgnet hgnetv2_b0 32
hiera hiera_tiny_224 64 img_size=64
hieradet_sam2 hieradet_small 64
iformer iformer_t 64
inception_next inception_next_atto 32
inception_resnet_v2 inception_resnet_v2 96
inception_v3 inception_v3 96
inception_v4 inception_v4 96
lcnetv2 lcnetv2_small 32
lowformer lowformer_b0 64
mambaout test_mambaout 32
maxxvit test_coatnet 64
metaformer poolformerv2_s12 64
mlp_mixer gmlp_ti16_224 32 img_size=32
mobilenetv3 mobilenetv3_small_050 32
mobilenetv5 mobilenetv5_300m 256
mobilevit mobilevit_xxs 64
mvitv2 mvitv2_tiny 64 img_size=64
naflexvit naflexvit_base_patch16_gap 64 depth=2 embed_dim=48 num_heads=4
nest nest_tiny 224
nextvit nextvit_small 64
pit pit_ti_224 32 img_size=32
qwen3_vit qwen3_vit_88m 64 img_size=64 depth=2 embed_dim=48 num_heads=4
rdnet rdnet_tiny 64
regnet regnety_002 32
repghost repghostnet_058 64
repvit repvit_m1 32
res2net res2net50_14w_8s 32
resnest resnest14d 32
resnet test_resnet 32
resnetv2 resnetv2_50x1_bit 32
rexnet rexnetr_100 32
senet legacy_seresnet18 32
sequencer sequencer2d_s 64
shvit shvit_s2 64
sknet skresnet18 32
starnet starnet_s050 32
swiftformer swiftformer_xs 32
swin_transformer swin_tiny_patch4_window7_224 32 img_size=32 window_size=4 embed_dim=24 depths=(2,2) num_heads=(2,4)
swin_transformer_v2_cr swinv2_cr_tiny_224 64 img_size=64 window_size=4 embed_dim=24 depths=(2,1) num_heads=(2,4)
tiny_vit tiny_vit_5m_224 224
tresnet tresnet_m 32
twins twins_svt_small 64
vgg vgg11 32
visformer visformer_tiny 32 img_size=32
vision_transformer_hybrid vit_tiny_r_s16_p8_224 32 img_size=32
vision_transformer_relpos test_vit_relpos 32 img_size=32
vision_transformer_sam samvit_base_patch16_224 64 img_size=64 depth=2 embed_dim=48 num_heads=4
vitamin vitamin_small_224 64 img_size=64
volo volo_d1_224 64 img_size=64
vovnet ese_vovnet19b_slim_dw 32
xception legacy_xception 64
xception_aligned xception41 64
xcit xcit_nano_12_p16_224 64
"""
LINES = [line.split() for line in (SAMPLE + REST).splitlines() if line]
RUN = len(LINES) if os.environ.get("VPCORE_FAMILIES") == "all" else len(SAMPLE.strip().splitlines())
FAMILIES = {words[0]: words[1:] for words in LINES[:RUN]}
TABLE = {**vpcore.PROMPTS, **{f"tune_{name}": make for name, make in vpcore.TUNINGS.items()}}
TOKENS = ("vpt_shallow", "vpt_deep", "instance")
# In timm's csatv2 a layer norm over a single channel leaves nothing of the image, so every key has the same value.
NEVER_REACHED = {"csatv2": ("attn/attn/qkv/weight:q",)}


@lru_cache(maxsize=2)  # the tests of a family follow each other
def load(family):
    name, size, *options = FAMILIES[family]
    require(name)
    small = {"img_size": int(size)} if timm.get_pretrained_cfg(name).fixed_input_size else {}
    small |= {key: ast.literal_eval(value) for key, value in (option.split("=") for option in options)}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = timm.create_model(name, **small)
    randomize(net.eval())
    images = torch.randn(2, 3, int(size), int(size), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = net.forward_head(net.forward_features(images), pre_logits=True)
        backbone = split_chain(net, name, int(size), (0.5,) * 3, (0.5,) * 3)
        off = (backbone(images) - expected).abs().max() / expected.abs().max()
    return backbone, float(off)


def refusal(method, backbone):
    """Return what a refusal must say, or nothing where there must be none."""
    spec = backbone.spec
    if method in TOKENS and spec.kind != "vit":
        return f"{method} needs a ViT's token sequence, {spec.name} is a {spec.kind}: use "
    if method in TOKENS and not spec.free_tokens:
        return f"{method} inserts tokens, and the blocks of {spec.name} take no more tokens than the image has: use "
    if method == "instance" and spec.shapes[0][-1] % 3:
        return "a specific token is 3·h·w numbers, dim .* is not: pass map_tokens=True"
    scaled = [module for module in backbone.modules() if module._parameters.get("weight") is not None]
    if method == "tune_norm" and not any("Norm" in type(module).__name__ for module in scaled):
        return "NormTuning finds nothing to tune"
    if method == "tune_lora" and not vectors(backbone):
        return f"{spec.name} has no attention for LoRA on 'qv': use targets='conv'"
    return ""


def build(method, backbone):
    """Return prompt and tuning."""
    if not method.startswith("tune_"):
        options = {"map_tokens": True} if method == "instance" and backbone.spec.shapes[0][-1] % 3 else {}
        return vpcore.PROMPTS[method](backbone.spec, **options).prepare(backbone, pixels(backbone, 6)), None
    options = {"targets": "conv"} if method == "tune_lora" and not vectors(backbone) else {}
    return vpcore.NoPrompt(backbone.spec), vpcore.TUNINGS[method.removeprefix("tune_")](backbone, **options)


def vectors(backbone):
    """Return the names of linear layers that make queries, keys and values."""
    linear = [name.split(".") for name, module in backbone.named_modules() if isinstance(module, nn.Linear)]
    return [path for path in linear if path[-1] in ("qkv", "q", "q_proj") and path[0] in ("blocks", "pool")]


@pytest.mark.parametrize("method", TABLE)
@pytest.mark.parametrize("family", FAMILIES)
def test_it_learns_and_leaves_the_rest_alone_or_says_why_not(family, method):
    backbone, _ = load(family)
    says = refusal(method, backbone)
    if says:
        with pytest.raises(ValueError, match=says):
            TABLE[method](backbone.spec if method in vpcore.PROMPTS else backbone)
        if "map_tokens" not in says and "targets" not in says:
            return
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    prompt, tuning = build(method, backbone)
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3), tuning=tuning).train()
    learned = {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}
    reached = {name: 0.0 for name in learned}
    optimizer = torch.optim.Adam(learned.values(), lr=1e-3)
    for step in range(2):
        images = pixels(backbone, 3, seed=step).float() / 255
        loss = nn.functional.cross_entropy(model(images), torch.arange(3))
        assert loss.isfinite()
        optimizer.zero_grad()
        loss.backward()
        for name, tensor in learned.items():
            reached[name] += 0.0 if tensor.grad is None else float(tensor.grad.abs().sum())
        optimizer.step()
    missed = [name for name, total in reached.items() if not total > 0]
    assert not [name for name in missed if not name.endswith(NEVER_REACHED.get(family, ()))]
    assert not any(tensor.grad is not None for tensor in backbone.parameters())
    assert backbone.state_dict().keys() == before.keys()
    assert all(torch.equal(before[key], tensor) for key, tensor in backbone.state_dict().items())


@pytest.mark.parametrize("family", FAMILIES)
def test_its_features_are_timms_own(family):
    _, off = load(family)
    assert off <= 1e-5


def test_all_families_of_timm_are_here_or_no_chain():
    require(*(words[1] for words in LINES))
    listed = {words[0] for words in LINES}
    of = {name: timm.models.model_entrypoint(name).__module__.rsplit(".", 1)[-1] for name in timm.list_models()}
    assert listed <= set(of.values())
    smallest = {family: name for name, family in of.items() if family not in listed and not name.endswith("_enc")}
    for family, name in smallest.items():
        with torch.device("meta"):
            try:
                vpcore.load_backbone(name, pretrained=False)
            except NoChain:
                continue
        raise AssertionError(f"{family} is a chain of blocks, as {name} shows: add one of its networks")
