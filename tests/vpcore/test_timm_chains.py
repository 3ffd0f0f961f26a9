"""The splitter for every timm network that is a chain of blocks, and parts of any network given by name."""

import copy
import pickle

import pytest
import timm
import torch
from timm.layers.pos_embed_sincos import apply_rot_embed_cat
from timm_twin import differences, randomize, require, twins
from torch import nn

import vpcore
from vpcore.backbone import Backbone
from vpcore.models.split import NoChain, RotateMore, _classifier, split_chain

# One small network or more of each family, with a small image size that it takes.
NAMES = """
coatnet_nano_rw_224 64
convformer_s18 64
convit_tiny 32
convnext_atto_ols 64
convnext_atto_rms 64
convnext_femto 64
convnext_zepto_rms 32
convnextv2_atto 32
cs3darknet_focus_s 32
cspnext_tiny 32
deit_tiny_distilled_patch16_224 32
deit_tiny_patch16_224 32
dla34 64
dla46_c 32
dla46x_c 32
dla60x_c 32
dpn48b 32
eca_resnext26ts 32
edgenext_x_small 64
edgenext_xx_small 32
efficientformerv2_s0 32
efficientformerv2_s1 64
efficientnet_b0 64
efficientnet_es 64
efficientvit_b0 32
efficientvit_b1 64
efficientvit_m1 64
efficientvit_m2 64
ese_vovnet19b_slim_dw 32
eva02_tiny_patch14_224 112
fasternet_t0 32
fastvit_s12 64
fastvit_t12 64
fbnetc_100 32
fbnetv3_b 32
gernet_s 32
ghostnet_050 32
ghostnetv2_100 64
gmlp_ti16_224 32
hardcorenas_a 64
hardcorenas_b 32
hgnetv2_b0 32
hgnetv2_b1 64
lcnet_035 32
legacy_seresnet18 32
levit_128 64
levit_192 64
levit_conv_128s 64
mambaout_femto 32
maxvit_nano_rw_256 64
mixer_s32_224 64
mobilenetv1_100 64
mobilenetv2_035 32
mobilenetv3_large_075 64
mobilenetv3_small_050 32
mobilenetv4_conv_small 64
mobilenetv4_conv_small_035 64
mobileone_s0 64
mobilevit_xs 64
mobilevit_xxs 32
mobilevitv2_050 32
mobilevitv2_075 64
nf_regnet_b0 32
pit_ti_224 32
poolformer_s12 64
poolformerv2_s12 32
pvt_v2_b0 64
pvt_v2_b1 64
regnetx_002 32
regnetx_004 64
regnetx_006 64
regnety_002 32
regnety_004 64
regnety_006 64
regnetz_b16 32
repghostnet_058 64
repvgg_a0 32
repvit_m1 32
resmlp_12_224 64
resnest14d 32
resnet10t 32
resnet14t 32
resnet18 32
resnet18d 32
resnetblur18 32
resnetv2_18 32
resnext26ts 32
rexnetr_100 32
semnasnet_050 32
semnasnet_075 64
seresnet18 32
seresnext26ts 32
shvit_s2 64
starnet_s050 32
starnet_s1 64
swiftformer_xs 32
swin_s3_tiny_224 64
test_byobnet 32
test_coatnet 32
test_convnext 32
test_convnext2 64
test_convnext3 64
test_efficientnet 32
test_efficientnet_evos 64
test_efficientnet_gn 64
test_efficientnet_ln 64
test_mambaout 32
test_nfnet 32
test_resnet 32
test_vit 32
test_vit2 64
test_vit3 64
test_vit4 64
test_vit_relpos 32
tf_efficientnet_lite0 64
tinynet_d 64
tinynet_e 32
visformer_tiny 32
vit_dwee_patch16_reg1_gap_256 64
vit_little_patch16_reg1_gap_256 64
vit_pwee_patch16_reg1_gap_256 64
vit_relpos_small_patch16_224 64
vit_srelpos_small_patch16_224 64
vit_tiny_patch16_224 32
vit_tiny_patch16_dinov3_qkvb 32
vit_wee_patch16_reg1_gap_256 64
xcit_nano_12_p16_224 64
xcit_tiny_12_p16_224 64
"""
SAMPLE = [line.split() for line in NAMES.strip().splitlines()]
OTHER_SIZES = """
test_convnext 80, test_efficientnet 57, test_byobnet 48, test_vit_relpos 96, test_coatnet 96, test_mambaout 96,
vit_tiny_patch16_dinov3_qkvb 96, pvt_v2_b0 64, xcit_nano_12_p8_224 96, levit_128s 224, gmlp_ti16_224 96,
mvitv2_tiny 128, edgenext_xx_small 96, regnetx_002 75, test_nfnet 96
"""
OTHERS = [pair.split() for pair in OTHER_SIZES.replace("\n", " ").split(",")]


@pytest.mark.parametrize(("name", "image_size"), [*SAMPLE, *OTHERS], ids=str)
def test_features_logits_and_shapes_equal_timms_own(name, image_size):
    for what, by in differences(name, int(image_size)):
        assert by <= 1e-5, what


def test_the_sample_is_large_and_of_every_kind():
    assert len({name for name, _ in SAMPLE}) >= 120


def load(name, image_size=64):
    require(name)
    backbone = vpcore.load_backbone(name, pretrained=False, image_size=image_size)
    randomize(backbone)
    return backbone


def test_kinds_depths_and_prefix_tokens():
    wanted = {
        "test_convnext": ("cnn", 9, 0, False),
        "swinv2_tiny_window8_256": ("swin", 12, 0, False),
        "vit_tiny_patch16_dinov3_qkvb": ("vit", 12, 5, True),
        "test_vit_relpos": ("vit", 9, 0, False),
        "pit_ti_224": ("vit", 12, 1, False),
        "deit_tiny_distilled_patch16_224": ("vit", 12, 2, True),
        "vgg11": ("cnn", 7, 0, False),
    }
    require(*wanted)
    for name, expected in wanted.items():
        with torch.device("meta"):
            spec = vpcore.load_backbone(name, pretrained=False).spec
        assert (spec.kind, spec.depth, spec.num_prefix_tokens, spec.free_tokens) == expected, name


def test_blocks_are_the_networks_own_modules_where_they_take_one_tensor():
    for name, kind in (("test_efficientnet", "InvertedResidual"), ("test_vit_relpos", "RelPosBlock")):
        assert kind in {type(block).__name__ for block in load(name).blocks}


@pytest.mark.parametrize("name", ["levit_128s", "vit_tiny_patch16_dinov3_qkvb", "test_mambaout", "pvt_v2_b0"])
def test_copies_and_pickles_compute_the_same_and_stay_frozen(name):
    backbone, images = load(name), torch.randn(3, 3, 64, 64, requires_grad=True)
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    for twin in (backbone, copy.deepcopy(backbone), pickle.loads(pickle.dumps(backbone))):
        features = twin.train()(images)
        assert torch.equal(features, backbone(images))
        features[:, ::2].sum().backward()
        assert images.grad.abs().max() > 0
        assert not any(p.requires_grad for p in twin.parameters())
        assert not any(module.training for module in twin.modules())
        assert all(torch.equal(before[key], tensor) for key, tensor in twin.state_dict().items())


FAMILIES = ["test_convnext", "test_mambaout", "vit_tiny_patch16_dinov3_qkvb", "test_vit_relpos", "levit_128s"]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_prompt_that_fits_learns_and_the_rest_say_why(name):
    backbone = load(name)
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    took, reasons = set(), []
    for key, make in vpcore.PROMPTS.items():
        try:
            prompt = make(backbone.spec)
        except (ValueError, TypeError) as error:
            reasons.append(str(error))
            continue
        took.add(key)
        if key == "cluster":  # needs data first
            continue
        model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3))
        randomize(prompt)
        model(torch.rand(2, 3, 64, 64)).square().sum().backward()
        learned = [p for p in prompt.parameters() if p.requires_grad]
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in learned), key
    assert {"pad", "activation"} <= took
    assert all("token" in reason or "argument" in reason for reason in reasons)
    assert ({"vpt_shallow", "vpt_deep"} <= took) == backbone.spec.free_tokens
    assert all(torch.equal(before[key], tensor) for key, tensor in backbone.state_dict().items())


def test_inserted_tokens_are_not_rotated_and_patches_as_before():
    draw = torch.Generator().manual_seed(0)
    angle = torch.rand(4, 6, generator=draw)
    rope, q = torch.cat([angle.sin(), angle.cos()], -1), torch.randn(2, 3, 7, 6, generator=draw)
    turned = apply_rot_embed_cat(q, RotateMore(6)(rope, torch.zeros(2, 9, 6)))  # 6 = 2 prefix tokens and 4 patches
    assert torch.equal(turned[:, :, :3], q[:, :, :3])
    assert torch.equal(turned[:, :, 3:], apply_rot_embed_cat(q[:, :, 3:], rope))
    assert RotateMore(6)(rope, torch.zeros(2, 6, 6)) is rope


def test_a_vit_of_fixed_length_refuses_tokens():
    for method, make in (("vpt_shallow", vpcore.ShallowTokens), ("vpt_deep", vpcore.DeepTokens)):
        with pytest.raises(ValueError, match=f"{method} inserts tokens, and the blocks of .* take no more tokens"):
            make(load("test_vit_relpos").spec)


def test_upto_averages_tokens_that_change_size():
    backbone, images = load("levit_128s"), torch.randn(2, 3, 64, 64)
    view, z = backbone.upto(2), backbone.activations(images, 2)
    standard = (z - z.mean(-1, keepdim=True)) / (z.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
    assert torch.allclose(view(images), standard.mean(1), atol=1e-5)
    assert view.spec.dim == z.shape[-1]


def test_a_tuned_pass_leaves_nothing_in_a_network_that_caches_its_attention_biases():
    backbone, images = load("levit_128s"), torch.rand(2, 3, 64, 64)
    tuning = vpcore.FullTuning(backbone)
    with torch.no_grad():
        for name, parameter in tuning.named_parameters():
            if "attention_biases" in name:
                parameter.normal_(std=3)
    head = vpcore.LinearHead(backbone.spec.dim, 3)
    plain = vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), head).eval()
    tuned = vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), head, tuning=tuning).eval()
    before, changed = plain.features(images), tuned.features(images)
    assert not torch.allclose(changed, before)
    assert torch.equal(plain.features(images), before)
    tuned.features(images)
    assert torch.equal(copy.deepcopy(tuned).features(images), changed)
    assert torch.allclose(tuning.merge(backbone)(tuned.normalize(images)), changed, atol=1e-5)


@pytest.mark.parametrize(("name", "size"), [("deit_tiny_distilled_patch16_224", 32), ("pit_ti_distilled_224", 224)])
def test_a_distilled_vit_whose_heads_read_two_tokens_has_features_and_no_classifier(name, size):
    net, backbone = twins(name, size)
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        assert torch.allclose(backbone(images), net.forward_features(images)[:, :2].mean(1), atol=1e-5)
    assert backbone.classifier is None


@pytest.mark.parametrize("aux", [True, False])
def test_a_volo_has_a_classifier_where_its_class_token_decides_alone(aux):
    net = timm.create_model("volo_d1_224", img_size=64, num_classes=5, use_aux_head=aux)
    assert (_classifier(net, net.num_features) is None) is aux


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("efficientvim_m4_dist", "its logits are a sum over stages"),
        ("crossvit_9_240", "up to 4 tensors of an image pass from block to block"),
        ("selecsls42", "lists or tensors of other layouts pass from block to block"),
        ("qwen3_vit_88m_enc", "it is an encoder, which makes no one vector an image"),
        ("hrnet_w18_small", "its forward pass cannot be followed"),
    ],
)
def test_what_timm_has_and_is_no_chain_says_so(name, reason):
    require(name)
    with (
        torch.device("meta"),
        pytest.raises(NoChain, match=f"^timm has {name}, vpcore cannot split it at blocks because {reason}"),
    ):
        vpcore.load_backbone(name, pretrained=False)


class Rowless(nn.Module):
    """A network as timm writes them, all of whose layers stand in parts that are no row."""

    def __init__(self):
        super().__init__()
        self.stem, self.core, self.fc = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 5, 3), nn.Linear(5, 4)

    def get_classifier(self):
        return self.fc

    def forward_features(self, images):
        return self.core(self.stem(images).relu()).relu()

    def forward_head(self, z, pre_logits=False):
        return z.mean((2, 3)) if pre_logits else self.fc(z.mean((2, 3)))


def test_a_network_without_a_row_of_blocks_says_which_parts_it_has():
    with pytest.raises(NoChain, match=r"^its parts \(stem, core, fc\) hold no row of blocks$"):
        split_chain(Rowless(), "rowless", 20, (0.5,) * 3, (0.5,) * 3)
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    for blocks in ("core", []):  # a layer is no row
        with pytest.raises(ValueError, match=r"blocks=.* of this Rowless holds no row of blocks: name a part that has"):
            Backbone.wrap(Rowless(), embed="stem", blocks=blocks, pool=pool, image_size=20)
    wrapped = Backbone.wrap(Rowless(), embed="stem", blocks=["core"], pool=pool, image_size=20)
    assert (wrapped.spec.depth, wrapped.spec.shapes) == (1, ((6, 18, 18), (5, 16, 16)))


def test_addresses_of_timms_own_weights_are_names():
    for prefix in ("timm/", "hf-hub:timm/", "hf_hub:timm/"):
        spec = vpcore.load_backbone(f"{prefix}test_convnext.r160_in1k", pretrained=False, image_size=32).spec
        assert (spec.name, spec.mean) == ("test_convnext.r160_in1k", timm.get_pretrained_cfg("test_convnext").mean)


def test_a_size_the_network_does_not_take_is_named():
    with pytest.raises(ValueError, match=r"_256 takes no images of 72 pixels .*: try 256$"), torch.device("meta"):
        vpcore.load_backbone("maxvit_pico_rw_256", pretrained=False, image_size=72)


def test_wrap_a_convnext_of_timm():
    net = timm.create_model("test_convnext").eval()
    randomize(net)
    pool = ["norm_pre", "head.global_pool", "head.norm", "head.flatten"]
    backbone = Backbone.wrap(net, embed="stem", blocks="stages", pool=pool, classifier="head.fc", image_size=64)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        features = backbone(images)
        assert torch.allclose(features, net.forward_head(net.forward_features(images), pre_logits=True), atol=1e-6)
        assert torch.allclose(backbone.classifier(features), net(images), atol=1e-6)
    spec = backbone.spec
    assert (spec.name, spec.kind, spec.depth, spec.dim) == ("ConvNeXt", "cnn", 4, 64)
    assert spec.shapes[0] == (24, 16, 16)
    assert not any(p.requires_grad for p in backbone.parameters())


def test_wrap_a_resnet_of_torchvision():
    from torchvision.models import resnet18

    net = resnet18().eval()
    randomize(net)
    embed, blocks = ["conv1", "bn1", "relu", "maxpool"], ["layer1", "layer2", "layer3", "layer4"]
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    backbone = Backbone.wrap(
        net, embed=embed, blocks=blocks, pool=["avgpool", nn.Flatten()], classifier="fc", image_size=64, mean=mean,
        std=std, name="resnet18 of torchvision",
    )  # fmt: skip
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(backbone.classifier(backbone(images)), net(images), rtol=1e-5, atol=1e-4)
    assert (backbone.spec.mean, backbone.spec.std, backbone.spec.depth) == (mean, std, 4)
    model = vpcore.Prompted(backbone, vpcore.ActivationPrompt(backbone.spec), vpcore.LinearHead(512, 3))
    assert model(torch.rand(2, 3, 64, 64)).shape == (2, 3)


def test_wrap_names_what_is_wrong():
    net = timm.create_model("test_convnext")
    good = {"embed": "stem", "blocks": "stages", "pool": ["head.global_pool", "head.flatten"], "image_size": 32}
    with pytest.raises(ValueError, match="ConvNeXt has no part 'stam': its parts are stem, stages"):
        Backbone.wrap(net, **{**good, "embed": "stam"})
    with pytest.raises(ValueError, match=r"pool must give one vector an image, got shape \(64, 1, 1\)"):
        Backbone.wrap(net, **{**good, "pool": "head.global_pool"})
    with pytest.raises(ValueError, match=r"the parts do not run one after another \(.*\): check their order"):
        Backbone.wrap(net, **{**good, "embed": "stages.2"})
