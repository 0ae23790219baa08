"""Which GPUs and TPUs a machine of the Trainer can have, by the tables of Google's documentation."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from components.config import first_error
from pipeline.platforms.vertex.config import Dataflow, VertexTrainer


def problem(machine: str, accelerator: str | None = None, count: int = 1, topology: str | None = None) -> str:
    """Return what is wrong with a machine of the Trainer; empty if nothing is."""
    settings = {"machine_type": machine, "accelerator": accelerator, "accelerator_count": count}
    try:
        VertexTrainer.model_validate({**settings, "tpu_topology": topology})
    except ValidationError as error:
        return first_error(error)
    return ""


# "Configure compute resources for serverless training": the counts for n1-standard-N; of n1-highmem they are the same.
COUNTS = {
    "NVIDIA_TESLA_P4": {8: (1, 2, 4), 16: (1, 2, 4), 32: (2, 4), 64: (4,), 96: (4,)},
    "NVIDIA_TESLA_P100": {8: (1, 2, 4), 16: (1, 2, 4), 32: (2, 4), 64: (4,), 96: ()},
    "NVIDIA_TESLA_T4": {8: (1, 2, 4), 16: (1, 2, 4), 32: (2, 4), 64: (4,), 96: (4,)},
    "NVIDIA_TESLA_V100": {8: (1, 2, 4, 8), 16: (2, 4, 8), 32: (4, 8), 64: (8,), 96: (8,)},
}


@pytest.mark.parametrize("accelerator", COUNTS)
def test_an_n1_machine_has_as_many_gpus_as_its_cores_need(accelerator: str) -> None:
    for cores, counts in COUNTS[accelerator].items():
        taken = tuple(n for n in range(1, 17) if not problem(f"n1-standard-{cores}", accelerator, n))
        assert (cores, taken) == (cores, counts)


@pytest.mark.parametrize(
    ("machine", "accelerator", "count"),
    [
        ("a2-highgpu-1g", "NVIDIA_TESLA_A100", 1),
        ("a2-megagpu-16g", "NVIDIA_TESLA_A100", 16),
        ("a2-ultragpu-8g", "NVIDIA_A100_80GB", 8),
        ("a3-highgpu-2g", "NVIDIA_H100_80GB", 2),
        ("a3-megagpu-8g", "NVIDIA_H100_MEGA_80GB", 8),
        ("a3-ultragpu-8g", "NVIDIA_H200_141GB", 8),
        ("a4-highgpu-8g", "NVIDIA_B200", 8),
        ("g2-standard-24", "NVIDIA_L4", 2),
        ("g4-standard-384", "NVIDIA_RTX_PRO_6000", 8),
    ],
)
def test_a_machine_that_comes_with_gpus_has_all_of_its_own(machine: str, accelerator: str, count: int) -> None:
    assert problem(machine, accelerator, count) == ""
    assert f"{machine} needs accelerator {accelerator} and accelerator_count {count}" in problem(machine)
    assert "needs accelerator" in problem(machine, accelerator, count + 1)
    assert "comes with machine_type" in problem("n1-standard-8", accelerator, count)
    with pytest.raises(ValidationError, match="it has GPUs, which only vertex"):
        Dataflow(machine_type=machine)


@pytest.mark.parametrize(
    ("machine", "accelerator", "count", "topology", "message"),
    [
        ("n1-standard-8", None, 4, None, "accelerator_count 4 needs an accelerator"),
        ("n1-standard-2", None, 1, None, "trains on 4 cores or more of n1-standard: write n1-standard-4"),
        ("n2-highcpu-8", None, 1, None, "write n2-highcpu-16"),
        ("a4x-highgpu-4g", None, 1, None, "it has Arm processors"),
        ("cloud_tpu", None, 1, None, "did you mean cloud-tpu?"),
        ("ct5lp-hightpu-4t", None, 1, "3x3", "has no tpu_topology 3x3"),
        ("ct5lp-hightpu-4t", None, 4, "2x2", "leave out accelerator_count=4"),
        ("ct5lp-hightpu-2t", None, 1, "1x2", "there is no training on it on Vertex AI"),
    ],
)
def test_a_machine_that_there_is_not(
    machine: str, accelerator: str | None, count: int, topology: str | None, message: str
) -> None:
    assert message in problem(machine, accelerator, count, topology)
