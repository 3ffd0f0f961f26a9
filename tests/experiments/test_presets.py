"""The presets of the papers: what they hold, what they say is lacking, and that no such cell is ever filled."""

import hashlib
import shlex
from collections import Counter
from dataclasses import replace

import pytest
import torch
from PIL import Image
from test_grid import call
from test_grid_methods import cells_of
from torchvision.transforms import v2
from torchvision.transforms.functional import pil_to_tensor

from vpcore.experiments.grid import presets, train_cell
from vpcore.experiments.grid.cell import Cell, expand
from vpcore.experiments.grid.cell_data import Loader, load_cell_data
from vpcore.experiments.grid.presets import PRESETS, Preset, find_preset
from vpcore.experiments.grid.train_cell import build_model
from vpcore.experiments.names.backbones import SCRATCH, backbone_spec, fresh_backbone, lacking_weights, read_backbone
from vpcore.experiments.names.data import lacking_data
from vpcore.experiments.names.methods import METHODS, build_head, method_label, read_method
from vpcore.experiments.runs.runlog import read_runs
from vpcore.prompts import PROMPTS
from vpcore.tensorfile import write_tensors

ALL = {name: preset for name, preset in PRESETS.items()}
ALL |= {f"scale {number}": preset for number, preset in enumerate(PRESETS["scale"].then, start=2)}
ALL |= {f"insvp {name}": preset for name, preset in PRESETS["insvp"].variants.items()}
TINY = shlex.split("--limit 20 --max-valid 20 --max-test 20 --epochs 1 --seeds 1 --lr 1e-2 --batch-size 10")


# --- what they hold ----------------------------------------------------------------------------------------------


def test_msvp_is_the_180_runs_of_the_paper():
    seen, notes = cells_of("--preset", "msvp")
    cells = seen["cells"]
    assert len(cells) == len(set(cells)) == 180
    assert {(c.data, c.backbone) for c in cells} == {
        (d, b) for d in ("mnist", "fashion_mnist", "cifar10") for b in SCRATCH
    }
    assert set(Counter(c.prompt.split(",init")[0] for c in cells).values()) == {45}
    one = Cell("mnist", "simple_cnn", "none")  # the defaults of a cell are the published code's
    assert cells[0] == one
    assert {(c.epochs, c.batch_size, c.lr, c.augment, c.trials, c.limit) for c in cells} == {
        (10, 128, 1e-3, "paper", None, None)
    }
    assert "note: concat starts as the published code has it" in notes


def test_the_scales_are_all_subsets():
    cells = cells_of("--preset", "msvp-scales", "--backbone", "simple_cnn", "--data", "mnist")[0]["cells"]
    assert {c.prompt for c in cells} == {
        "none", "full", "multiscale",
        *(f"multiscale:scales={scales}" for scales in ("1", "4", "8", "1+4", "1+8", "4+8")),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("which", "sets", "backbone", "arms"),
    [
        ("--table 1", 10, "vit_base_patch16_224.augreg_in21k", 9),
        ("--table 2", 10, "vit_base_patch16_224.augreg_in21k", 7),
        ("--table 3", 5, "swin_base_patch4_window7_224.ms_in22k", 5),
        ("--table 4", 5, "vit_base_patch16_224:checkpoint=vit-b-300ep.pth.tar", 6),
        ("--table 5", 4, "vit_base_patch16_224.augreg_in21k", 5),
        ("--figure 5", 2, "vit_base_patch16_224.augreg_in21k", 14),
        ("--figure 7", 1, "vit_base_patch16_224.augreg_in21k", 19),
        ("", 10, "vit_base_patch16_224.augreg_in21k", 9),
    ],
)
def test_insvp_holds_its_tables(which, sets, backbone, arms):
    cells = cells_of("--preset", "insvp", *shlex.split(which))[0]["cells"]
    assert len(cells) == len(set(cells)) == sets * arms * 5
    assert {c.backbone for c in cells} == {backbone}
    assert {c.seed for c in cells} == set(range(5))
    assert {(c.epochs, c.trials, c.train_backbone) for c in cells} == {(100, 5, False)}
    assert all(c.data.endswith(":split=vtab1k") for c in cells) is (which == "--table 2")


def test_ap_sweeps_every_layer_with_its_control_and_takes_shots():
    cells = cells_of("--preset", "ap", "--shots", "1,4,16", "--backbone", "resnet_nano", "--data", "digits")[0]["cells"]
    assert {c.shots for c in cells} == {1, 4, 16}
    for layer in range(backbone_spec("resnet_nano").depth + 1):
        for method in ("activation:layer={}", "layer_probe:layer={}", "activation:layer={},shape=per_channel"):
            assert sum(c.prompt == method.format(layer) for c in cells) == 3 * 5
    assert {"none", "full", "pad", "norm_tuning", "bitfit", "full_tuning"} <= {c.prompt for c in cells}
    assert len(cells_of("--preset", "ap")[0]["cells"]) <= 10_000


@pytest.mark.parametrize("name", ALL)
def test_every_method_of_a_preset_fits_its_networks(name):
    for backbone in ALL[name].backbones:
        spec = backbone_spec(backbone)
        with torch.device("meta"):
            net = fresh_backbone(backbone) if read_backbone(backbone)[0] not in SCRATCH else None
        for text in ALL[name].methods_for(spec)[0]:
            method, options = read_method(text.replace("layer=all", f"layer={spec.depth}"))
            assert method_label(text)
            if method in PROMPTS:
                assert PROMPTS[method](spec, **options).spec is spec
            elif method == "mlp_head":
                assert build_head(text, 12, 3, 0).num_classes == 3
            else:
                with torch.device("meta"):
                    assert METHODS[method](net, **options).spec.kind == spec.kind


# --- what is lacking ---------------------------------------------------------------------------------------------


def test_what_is_not_here_is_named_and_nothing_is_filled(tmp_path):
    out = tmp_path / "r.jsonl"
    result = call("--preset", "insvp", "--table", 3, "--root", tmp_path, "--out", out)
    assert result.exit_code == 2
    assert "note: CUB, NABirds and Stanford Dogs are not in torchvision" in result.stderr
    assert "note: left out swin_base_patch4_window7_224.ms_in22k, which is not here: its weights" in result.stderr
    for name in ("folder:cub", "folder:nabirds", "cifar100", "gtsrb", "svhn"):
        assert f"note: left out {name}, which is not here: no {tmp_path}" in result.stderr
    assert "error: nothing of this grid can run here: the notes above say" in result.stderr
    assert out.read_bytes() == b""


def test_cells_of_a_lacking_set_or_network_stay_empty_and_the_others_run(tmp_path, monkeypatch):
    lame = "vit_tiny_patch16_224:checkpoint=nowhere.safetensors"
    toy = Preset(("digits", "folder:gone"), ("resnet_nano", lame), ("none",), options={"augment": "none"})
    monkeypatch.setitem(presets.PRESETS, "toy", toy)
    result = call("--preset", "toy", *TINY, "--root", tmp_path, "--out", tmp_path / "r")
    assert result.exit_code == 0, result.output
    assert [(run["cell"]["data"], run["cell"]["backbone"]) for run in read_runs(tmp_path / "r")] == [
        ("digits", "resnet_nano")
    ]
    lacking = [line for line in result.stderr.splitlines() if line.startswith("note: left out")]
    assert [line.split(",")[0].split()[-1] for line in lacking] == [lame, "folder:gone"]
    assert "nowhere.safetensors: put the weights there, or set VPCORE_WEIGHTS" in lacking[0]
    assert "vit_tiny" not in result.stdout
    assert "gone" not in result.stdout


def test_more_images_a_class_than_a_set_has_are_left_out_of_a_preset_alone(tmp_path, monkeypatch):
    toy = Preset(("digits",), ("resnet_nano",), ("none",), options={"augment": "none"})
    monkeypatch.setitem(presets.PRESETS, "toy", toy)
    tiny = [*TINY[2:], "--shots", "1,500"]
    result = call("--preset", "toy", *tiny, "--out", tmp_path / "r")
    assert result.exit_code == 0, result.output
    assert [run["cell"]["shots"] for run in read_runs(tmp_path / "r")] == [1]
    assert "note: left out digits with 500 images a class, which is too many: shots must be 1 to" in result.stderr


@pytest.mark.parametrize("name", ["cifar100", "usps", "folder:birds", "folder", "cifar100:split=vtab1k"])
def test_a_set_is_looked_for_without_being_read(tmp_path, monkeypatch, name):
    empty, there = tmp_path / "empty", tmp_path / "there"
    for folder in (empty, there / "cifar-100-python", there / "birds"):
        folder.mkdir(parents=True)
    (there / "usps.bz2").touch()
    assert lacking_data(name, str(there)) is None
    assert (lacking_data(name, str(empty)) is None) is (name == "folder")
    monkeypatch.delenv("VPCORE_DATA", raising=False)
    assert "set VPCORE_DATA" in (lacking_data(name, None) or "")
    monkeypatch.setenv("VPCOURSE_PROFILE", "full")
    assert (lacking_data(name, str(empty)) is None) is (name != "folder:birds")  # the others would be downloaded
    assert lacking_data("digits", None) is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            "--preset insvp --table 6",
            "preset insvp has table 1, table 2, table 3, table 4, table 5, figure 5, figure 7",
        ),
        ("--preset insvp --figure 8", "figure 7; what figure 8 shows is not known to us, got figure 8: choose one"),
        ("--preset insvp --table 1 --figure 5", "got table 1 and figure 5: choose one of them"),
        ("--preset msvp --table 1", "preset msvp has recipe published, got table 1"),
        ("--table 1", "--table and --figure belong to a preset: add --preset insvp"),
        ("--preset mvsp", "unknown preset 'mvsp': choose one of transfer, scale, msvp, msvp-scales, insvp, ap"),
        ("--shots 0", "--shots must be whole numbers from 1 on with commas between, got '0': try 1,4,16"),
        ("--shots few", "--shots must be whole numbers from 1 on with commas between, got 'few'"),
        ("--shots ,", "the grid has no cell"),
        ("--data digits --shots 500", "shots must be 1 to the images of the rarest class"),
        ("--backbone resnet18:weights=a", "unknown option 'weights=a' of backbone resnet18: write checkpoint=FILE"),
        ("--backbone resnet18:checkpoint=../a", "unknown option 'checkpoint=../a' of backbone resnet18"),
        ("--backbone resnet18:checkpoint=a.pt", "no file"),
        ("--preset ap --shots 1,4,16", "the grid has 26,460 cells, more than 10,000: add --yes"),
    ],
)
def test_errors_are_one_line_and_exit_with_2(tmp_path, arguments, says):
    result = call(*shlex.split(arguments), "--out", tmp_path / "r")
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr.splitlines()[-1]
    assert result.stderr.splitlines()[-1].startswith("error: ")


def test_find_preset_says_what_there_is():
    assert find_preset("insvp", table=2) is PRESETS["insvp"].variants["table 2"]
    assert find_preset("insvp").methods == find_preset("insvp", table=1).methods
    with pytest.raises(ValueError, match="unknown preset 'x': choose one of transfer, scale, msvp, msvp-scales"):
        find_preset("x")
    with pytest.raises(ValueError, match=r"figure 7; what figure 8 shows is not known to us, got figure 8"):
        find_preset("insvp", figure=8)
    with pytest.raises(ValueError, match="preset ap has no table, figure or recipe, got figure 7"):
        find_preset("ap", figure=7)


def test_a_grid_of_no_cell_is_refused():
    with pytest.raises(ValueError, match="the grid has no cell: give at least one data set, backbone, prompt and seed"):
        expand(["digits"], ["resnet_nano"], ["none"], 0, [0.1])


# --- weights from a file, other heads, costs -----------------------------------------------------------------------


def test_a_checkpoint_is_the_backbone_and_its_hash_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setenv("VPCORE_WEIGHTS", str(tmp_path))
    net = fresh_backbone("resnet18", 32, seed=5)
    import timm

    whole = timm.create_model("resnet18")
    write_tensors(tmp_path / "mine.safetensors", whole.state_dict(), {})
    name = "resnet18:checkpoint=mine.safetensors"
    assert lacking_weights(name) is None
    arguments = ["--data", "digits", "--backbone", name, "--prompt", "none", "--image-size", 32, "--augment", "none"]
    result = call(*arguments, *TINY, "--out", tmp_path / "r")
    assert result.exit_code == 0, result.output
    [run] = read_runs(tmp_path / "r")
    assert run["cell"]["backbone"] == name
    assert run["weights_sha256"] == hashlib.sha256((tmp_path / "mine.safetensors").read_bytes()).hexdigest()
    built = build_model(Cell(**run["cell"]), load_cell_data(Cell(**run["cell"]))).backbone.state_dict()
    first = next(key for key in built if key.endswith("embed.0.weight") or key.startswith("embed"))
    assert torch.equal(built[first], whole.state_dict()["conv1.weight"])
    assert not torch.equal(built[first], net.state_dict()[first])


def test_mlp_3_is_a_head_of_three_layers_on_frozen_features():
    cell = Cell("digits", "resnet_nano", "mlp_head:hidden=7", limit=20, max_valid=10, max_test=10, augment="none")
    model = build_model(cell, load_cell_data(cell))
    assert {name.partition(".")[0] for name, p in model.named_parameters() if p.requires_grad} == {"head"}
    assert [tuple(p.shape) for p in model.head.parameters() if p.dim() == 2] == [(7, 120), (7, 7), (10, 7)]


def test_cost_prints_a_row_a_method_and_trains_nothing(tmp_path):
    arguments = "--preset ap --cost --data digits --backbone resnet_nano --batch-size 4 --seeds 2"
    result = call(*shlex.split(arguments), "--prompt", "full,activation:layer=6", "--out", tmp_path / "r")
    assert result.exit_code == 0, result.output
    header, _, full, activation = (line.split() for line in result.stdout.splitlines()[:4])
    assert header[:3] == ["backbone", "method", "learned"]
    assert full[:3] == ["resnet_nano", "full", "3,072"]
    assert activation[:3] == ["resnet_nano", "activation:layer=6", "480"]
    assert float(activation[4]) < float(full[4])  # back-propagation ends at the prompt
    assert full[-1] == "1.00"
    assert not (tmp_path / "r").exists()


# --- warm-up and crop, as InsVP's code has them ------------------------------------------------------------------


def test_insvp_rises_in_the_first_fifth_and_cuts_224_out_of_256():
    cells = cells_of("--preset", "insvp", "--table", "3")[0]["cells"]
    assert {(c.warmup, c.resize, c.batch_size, c.epochs, c.schedule) for c in cells} == {(0.2, 256, 64, 100, "cosine")}
    assert {(c.warmup, c.resize) for c in cells_of("--preset", "ap")[0]["cells"]} == {(None, None)}


def test_a_share_of_the_steps_warms_up(monkeypatch):
    cell = Cell("digits", "simple_cnn", "none", epochs=5, batch_size=9, limit=40, width=2, schedule="cosine", lr=0.1)
    seen = []
    monkeypatch.setattr(train_cell, "fit", lambda *given, **options: seen.append(options["warmup_steps"]))
    for share in (None, 0.0, 0.2, 0.5):
        train_cell.train_cell(replace(cell, warmup=share), load_cell_data(cell), "cpu", None, train_cell.FeatureStore())
    assert seen == [0, 0, 5, 12]  # of 5 epochs of 5 steps
    for share in (-0.1, 1.0):
        with pytest.raises(ValueError, match=r"warmup must be a share of the steps, 0 to below 1, got .*: try 0.2"):
            train_cell.check_cell(replace(cell, warmup=share), load_cell_data(cell))


def test_images_are_resized_and_their_middle_is_cut_out(tmp_path):
    draw, size = torch.Generator().manual_seed(0), (75, 51)  # no square
    for number in range(12):
        folder = tmp_path / "odd" / ("cats" if number % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = torch.randint(0, 256, (*size, 3), generator=draw, dtype=torch.uint8).numpy()
        Image.fromarray(pixels).resize(size[::-1]).save(folder / f"{number}.png")
    cell = Cell("folder:odd", "resnet_nano", "none", image_size=32, resize=37)
    data = load_cell_data(cell, str(tmp_path))
    theirs = v2.Compose([v2.Resize(37), v2.CenterCrop(37), v2.CenterCrop(32)])
    pictures = [theirs(pil_to_tensor(Image.open(path))) for path in sorted((tmp_path / "odd").rglob("*.png"))]
    found = torch.cat([data.train.images, data.valid.images, data.test.images]).int()
    for image in found:
        assert min(int((image - picture.int()).abs().max()) for picture in pictures) <= 2
    assert data.mean == pytest.approx((data.train.images.double().mean((0, 2, 3)) / 255).tolist())
    load = Loader(str(tmp_path))
    assert load(cell).train.images.shape[-1] == load(replace(cell, resize=None)).train.images.shape[-1] == 32
    assert not torch.equal(load(cell).train.images, load(replace(cell, resize=None)).train.images)
    for wrong, says in ((31, "resize must be at least the image size, 32, got 31"), (0, "at least .* 32, got 0")):
        with pytest.raises(ValueError, match=says):
            load_cell_data(replace(cell, resize=wrong), str(tmp_path))
    with pytest.raises(ValueError, match="resize must be at least the image size, which is not given, got 40"):
        load_cell_data(Cell("digits", "simple_cnn", "none", resize=40))
