"""The configuration: layers, origins, and a clear refusal of whatever does not fit."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.errors import UserError
from pipeline import config as configs
from pipeline import layers


def test_each_layer_goes_over_the_one_before_and_says_where_a_value_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 7\ntrainer:\n  epochs: 4\n  batch_size: 64\n")
    config, origins = configs.load("digits", str(file), ("trainer.epochs=9",))
    assert (config.trainer.epochs, config.trainer.batch_size, config.seed) == (9, 64, 7)
    assert origins["trainer.epochs"] == "--set"
    assert origins["trainer.batch_size"] == str(file)
    assert origins["name"] == "preset digits"
    assert origins["run_dir"] == "default"
    assert set(origins) == set(configs.flatten(config.model_dump()))


@pytest.mark.parametrize("name", layers.preset_names())
def test_every_preset_is_valid(name: str) -> None:
    config, _ = configs.load(name)
    assert config.trainer.epochs > 0


@pytest.mark.parametrize("network", ["airbench", "my_networks.py:small_cnn"])
@pytest.mark.parametrize("name", layers.preset_names())
def test_the_configuration_that_a_run_writes_is_the_same_to_the_letter(name: str, network: str, tmp_path: Path) -> None:
    """For the cache compares letters: a default of 30 would be read back as 30.0 where a float is wanted."""
    config, _ = configs.load(name, None, (f"trainer.network={network}",))
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    again, _ = configs.load(None, str(file))
    assert json.dumps(again.model_dump()) == json.dumps(config.model_dump())


@pytest.mark.parametrize("name", ["cifar10", "cifar10-fast", "cifar10-best"])
def test_all_presets_of_a_data_set_share_its_name_and_curated_schema(name: str) -> None:
    config, _ = configs.load(name, None, ("data.source=some/folder",))
    assert config.name == "cifar10"
    assert (Path(configs.__file__).parents[1] / "schema" / config.name / "schema.pbtxt").exists()


def test_the_preset_follows_the_data(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "my pets" / name).mkdir(parents=True)
        (tmp_path / "my pets" / name / "1.png").write_bytes(b"")
    assert configs.load()[0].name == "digits"
    assert configs.load(None, None, ("data.source=cifar10",))[0].name == "cifar10"
    with pytest.raises(UserError, match="cifar10-fast"):  # a preset, and no data of that name
        configs.load(None, None, ("data.source=cifar10-fast",))
    config, origins = configs.load(None, None, (f"data.source={tmp_path / 'my pets'}",))
    assert config.name == "my-pets"
    assert origins["name"] == "name of the data"
    assert configs.load(None, None, (f"data.source={tmp_path / 'my pets'}", "name=pets"))[0].name == "pets"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("trainer.epoch=3", "unknown config key 'trainer.epoch' (--set); did you mean trainer.epochs?"),
        ("zzz=1", "unknown config key 'zzz' (--set); known: name,"),
        ("trainer.epochs=0", "config key 'trainer.epochs' = 0 (--set): input should be greater than or equal to 1"),
        ("trainer.epochs=many", "config key 'trainer.epochs' = 'many' (--set)"),
        ("trainer.epochs", "write it as key=value"),
        ("=3", "write it as key=value"),
        ("trainer=3", "is a section"),
        ("data.splits.train=0.5", "the three shares must add up to 1, not 0.7"),
        ("gate.leaks=maybe", "input should be 'drop', 'stop', 'warn' or 'off'"),
        ("gate.rejected=drop", "input should be 'stop', 'warn' or 'off'"),
        ("trainer.translate=32", "trainer.translate = 32 must be smaller than transform.size = 32"),
        ("trainer.translate=2.5", "a length is in whole pixels, or below 1, a share of the image's side"),
        ("tuner.space={cutout: [0.1, 8]}", "cutout: both ends of [0.1, 8.0] must be pixels, or both shares"),
        ("data.max_side=31", "data.max_side = 31 must not be smaller than transform.size = 32"),
        ("trainer.cutout=40", "trainer.cutout = 40 must be smaller than transform.size = 32"),
        ("trainer={mixup: 0.2, cutmix: 1}", "mix each image with another: set one of them to 0"),
        ("tuner.space={strategy: [0, 1]}", "cannot tune 'strategy'; tunable settings: epochs"),
        ("tuner.space={ensemble: [1, 3]}", "cannot tune 'ensemble'; tunable settings"),
        ("tuner.space={epochs: [0, 9]}", "epochs = 0: input should be greater than or equal to 1"),
        ("tuner.space={width: [4, 4.5]}", "width = 4.5: input should be a valid integer"),
        ("tuner.space={learning_rate: [1, 0.1]}", "learning_rate: write it as [low, high], not [1.0, 0.1]"),
        ("tuner={space: {}, trials: 3}", "tuner.trials needs a range in tuner.space"),
        ("name=a/b", "config key 'name' = 'a/b'"),
        ("seed=[1", "config key 'seed'"),
    ],
)
def test_a_mistake_is_named(setting: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        configs.load("digits", None, (setting,))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [("- a\n", "must hold `key: value` lines"), ("a: [\n", "is not valid YAML"), ("trainer:\n  lr: 1\n", "trainer.lr")],
)
def test_a_bad_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(content)
    with pytest.raises(UserError, match=r"bad\.yaml") as raised:
        configs.load("digits", str(file))
    assert message in str(raised.value)


def test_a_missing_file_and_an_unknown_preset_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: No such file"):
        configs.load("digits", str(tmp_path / "none.yaml"))
    with pytest.raises(
        UserError,
        match="the presets are cifar10, cifar10-best, cifar10-fast, digits, photos, small",
    ):
        configs.load("x")


def test_a_bare_off_is_the_word() -> None:
    assert configs.load("digits", None, ("gate.leaks=off",))[0].gate.leaks == "off"


def refusal(setting: str) -> str | None:
    try:
        configs.load("digits", None, (setting,))
    except UserError as error:
        return str(error)
    return None


@given(st.text(string.printable, max_size=40), st.text(string.printable, max_size=40))
def test_any_setting_is_taken_or_refused_in_one_line(key: str, value: str) -> None:
    message = refusal(f"{key}={value}")
    assert message is None or len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("accelerator=TPU_V3",), "n1-standard-8 does not go with accelerator TPU_V3"),
        (("machine_type=cloud-tpu",), "cloud-tpu needs accelerator=TPU_V2 or TPU_V3 and"),
        (("machine_type=ct5lp-hightpu-4t",), "ct5lp-hightpu-4t needs tpu_topology=2x2"),
        (("tpu_topology=2x2",), "tpu_topology is for machine types ct5lp-"),
        (("machine_type=cloud-tpu", "accelerator=TPU_V2", "accelerator_count=8", "workers=2"), "a TPU is one worker"),
        (("machine_type=ct5lp-hightpu-4t", "tpu_topology=2x2", "workers=4"), "a TPU is one worker, not 4"),
        (("machine_type=cloud-tpu", "accelerator=TPU_V3"), "accelerator_count=1 of TPU_V3 does not exist; write acc"),
        (("machine_type=cloud-tpu", "accelerator=TPU_V3", "accelerator_count=32"), "of TPU_V3 is 4 machines, and"),
        (("machine_type=n1-standard-8", "accelerator=TPU_V2"), "a v5e has machine_type=ct5lp-hightpu-4t, tpu_topology"),
        (("machine_type=cloud-tpu", "accelerator=TPU_V2", "tpu_topology=2x2"), "; write accelerator_count=8 instead"),
        (("machine_type=ct5lp-hightpu-4t", "tpu_topology=2x2", "accelerator=NVIDIA_L4"), "has its TPU by itself"),
        (("machine_type=ct5lp-hightpu-4t", "tpu_topology=4x4"), "tpu_topology=4x4 of ct5lp-hightpu-4t is 4 machines"),
        (
            ("machine_type=ct5lp-hightpu-4t", "tpu_topology=2x4"),
            "is 2 machines, and this project's image trains on",
        ),
        (("machine_type=ct5lp-hightpu-8t", "tpu_topology=2x2"), "no tpu_topology 2x2; the choice is ct5lp-hightpu-1t"),
        (("machine_type=ct5lp-hightpu-4t", "tpu_topology=2X2"), "no tpu_topology 2X2; the choice is ct5lp-hightpu-1t"),
        (("machine_type=ct6e-standard-4t", "tpu_topology=2x2"), "ct6e-standard-4t: TensorFlow does not run there on V"),
        (
            ("machine_type=ct6e-standard-4t",),
            "ct6e-standard-4t: TensorFlow does not run there on Vertex AI; the choice",
        ),
        (("machine_type=tpu7x-standard-4t", "tpu_topology=2x2x1"), "TensorFlow does not run there on Vertex AI"),
        (("machine_type=ct5p-hightpu-4t", "tpu_topology=2x2x1"), "there is no training on it on Vertex AI; the choice"),
    ],
)
def test_machines_that_vertex_ai_does_not_have(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        configs.load("digits", None, tuple(f"vertex.trainer.{setting}" for setting in settings))


@pytest.mark.parametrize(
    ("settings", "device"),
    [
        (("machine_type=cloud-tpu", "accelerator=TPU_V2", "accelerator_count=8"), "tpu"),
        (("machine_type=cloud-tpu", "accelerator=TPU_V3", "accelerator_count=8"), "tpu"),
        (("machine_type=ct5lp-hightpu-1t", "tpu_topology=1x1"), "tpu"),
        (("machine_type=ct5lp-hightpu-4t", "tpu_topology=2x2"), "tpu"),
        (("machine_type=ct5lp-hightpu-8t", "tpu_topology=2x4"), "tpu"),
        (("machine_type=g2-standard-8", "accelerator=NVIDIA_L4"), "gpu"),
        (("machine_type=c2-standard-16",), "cpu"),
    ],
)
def test_machines_that_vertex_ai_has(settings: tuple[str, ...], device: str) -> None:
    config, _ = configs.load("digits", None, tuple(f"vertex.trainer.{setting}" for setting in settings))
    assert config.vertex.trainer.device == device


def test_gates_are_listed_and_a_short_setting_gives_way(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "evaluator:\n  gates:\n"
        "  - {metric: macro_f1, minimum: 0.8}\n"
        "  - {metric: accuracy, minimum: 0.85, on: interval}\n"  # YAML takes `on` for True
        "  - {metric: accuracy, minimum: 0.7}\n"
    )
    config, _ = configs.load("digits", str(file))
    assert {gate.key: gate.limit for gate in config.evaluator.table()} == {
        "accuracy_majority_minimum": 0,
        "min_accuracy": 0.7,
        "min_class_recall": 0.8,
        "max_drop": 0.01,
        "macro_f1_minimum": 0.8,
        "accuracy_interval_minimum": 0.85,
    }
    again = configs.Config.model_validate(yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json"))))
    assert again == config


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ("[{metric: macro, minimum: 0.8}]", r"evaluator\.gates\.0\.metric.*no such metric; the metrics are accuracy"),
        ("[{metric: accuracy, maximum: 0.8}]", r"evaluator\.gates\.0.*set a minimum, not a maximum"),
        ("[{metric: macro_f1, minimum: 1}, {metric: macro_f1, minimum: 0}]", "two gates hold the same: macro f1"),
    ],
)
def test_a_gate_that_cannot_be_held_is_refused_by_name(gates: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        configs.load("digits", None, (f"evaluator.gates={gates}",))
    assert "\n" not in str(refused.value)


OWN = "trainer.network=my_networks.py:small_cnn"


def test_a_network_of_the_users_has_rates_of_its_own() -> None:
    """Those of a preset are of the network that the preset names, as are its width and depth."""
    for preset in ("digits", "cifar10"):
        config, origins = configs.load(preset, None, (OWN,))
        assert config.trainer.learning_rate == 0.001
        assert config.tuner.space["learning_rate"] == (0.0002, 0.005)
        assert (config.trainer.width, origins["trainer.width"]) == (32, "default")
    assert configs.load("digits")[0].trainer.learning_rate == 0.08
    assert configs.load("cifar10")[0].trainer.learning_rate == 0.12
    assert configs.load("cifar10", None, (OWN, "trainer.learning_rate=0.01"))[0].trainer.learning_rate == 0.01


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ("trainer.network=resnet",),
            "unknown network; known: airbench, efficientnet_lite0, mobilenet_v3_large, efficientnetv2_b0, "
            "convnext_tiny, resnet50, or a function of your own, as my_networks.py",
        ),
        (("trainer.network=my_networks.py",), "unknown network"),
        ((OWN, "trainer.width=64"), "'trainer.width' (--set): only the network airbench reads it, not my_networks.py:"),
        ((OWN, "tuner.space={width: [8, 64]}"), "cannot tune 'width': only the network airbench reads it"),
        (
            ("trainer.fine_tune=last",),
            "'trainer.fine_tune' (--set): only the networks efficientnet_lite0, mobilenet_v3_large, efficientnetv2_b0, "
            "convnext_tiny, resnet50 read it, not airbench",
        ),
        (
            ("trainer.network=resnet50", "transform.size=16"),
            "transform.size = 16: the network resnet50 takes 32 pixels or more",
        ),
    ],
)
def test_what_a_network_does_not_read_is_refused(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        configs.load("digits", None, settings)


@pytest.mark.parametrize("network", ["mobilenet_v3_large", "efficientnetv2_b0", "convnext_tiny", "resnet50"])
def test_pretrained_networks_have_the_same_keys(network: str) -> None:
    config, _ = configs.load("photos", None, (f"trainer.network={network}", "trainer.fine_tune=last"))
    assert (config.trainer.fine_tune, config.trainer.weights, config.transform.size) == ("last", "imagenet", 224)
    assert (config.trainer.epochs, config.trainer.batch_size, config.trainer.keep) == (5, 32, "best")


def test_folders_of_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell replaces ~ in `--run-dir ~/runs`, but not in `--run-dir=~/runs`, in YAML or in Python."""
    monkeypatch.setenv("HOME", "/home/me")
    for key in ("run_dir", "artifacts_dir", "serving.dir"):
        for value, expected in (("~/runs", "/home/me/runs"), ("gs://bucket/~", "gs://bucket/~"), ("a~b", "a~b")):
            loaded, _ = configs.load("digits", None, (f"{key}={value}",))
            assert configs.flatten(loaded.model_dump())[key] == expected
