"""Machine types and accelerators of Google Cloud, as the documentation of Vertex AI and Compute Engine lists them.

Of TPUs the names alone: `tpu.py` has their rules.
"""

from __future__ import annotations

import difflib
import re

# The numbers of cores that machines of a family come in.
FAMILIES = {
    "c2-standard": "4 8 16 30 60",
    **dict.fromkeys(("c2d-standard", "c2d-highmem", "c2d-highcpu"), "2 4 8 16 32 56 112"),
    **dict.fromkeys(("c3-standard", "c3-highmem", "c3-highcpu"), "4 8 22 44 88 176 192"),
    **dict.fromkeys(("c3d-standard", "c3d-highmem", "c3d-highcpu"), "4 8 16 30 60 90 180 360"),
    **dict.fromkeys(("c4-standard", "c4-highmem", "c4-highcpu"), "2 4 8 16 24 32 48 96 144 192 288"),
    **dict.fromkeys(("c4d-standard", "c4d-highmem", "c4d-highcpu"), "2 4 8 16 32 48 64 96 192 384"),
    **dict.fromkeys(("e2-standard", "e2-highcpu"), "2 4 8 16 32"),
    "e2-highmem": "2 4 8 16",
    "m1-megamem": "96",
    "m1-ultramem": "40 80 160",
    **dict.fromkeys(("n1-standard", "n1-highmem", "n1-highcpu"), "1 2 4 8 16 32 64 96"),
    **dict.fromkeys(("n2-standard", "n2-highmem", "n2-highcpu"), "2 4 8 16 32 48 64 80 96 128"),
    **dict.fromkeys(("n2d-standard", "n2d-highmem", "n2d-highcpu"), "2 4 8 16 32 48 64 80 96 128 224"),
    **dict.fromkeys(("n4-standard", "n4-highmem", "n4-highcpu"), "2 4 8 16 32 48 64 80"),
    "t2d-standard": "1 2 4 8 16 32 48 60",
}
# The machines that come with GPUs, and how many: by the GPU.
WITH_GPUS = {
    "NVIDIA_L4": {
        **{f"g2-standard-{cores}": 1 for cores in (4, 8, 12, 16, 32)},
        "g2-standard-24": 2,
        "g2-standard-48": 4,
        "g2-standard-96": 8,
    },
    "NVIDIA_RTX_PRO_6000": {"g4-standard-48": 1, "g4-standard-96": 2, "g4-standard-192": 4, "g4-standard-384": 8},
    "NVIDIA_TESLA_A100": {**{f"a2-highgpu-{gpus}g": gpus for gpus in (1, 2, 4, 8)}, "a2-megagpu-16g": 16},
    "NVIDIA_A100_80GB": {f"a2-ultragpu-{gpus}g": gpus for gpus in (1, 2, 4, 8)},
    "NVIDIA_H100_80GB": {f"a3-highgpu-{gpus}g": gpus for gpus in (1, 2, 4, 8)},
    "NVIDIA_H100_MEGA_80GB": {"a3-megagpu-8g": 8},
    "NVIDIA_H200_141GB": {"a3-ultragpu-8g": 8},
    "NVIDIA_B200": {"a4-highgpu-8g": 8},
}
# The GPUs that are attached to an n1 machine: how many can be, and the cores of the machine for each, at most.
ATTACHED = {
    "NVIDIA_TESLA_T4": ((1, 2, 4), 24),
    "NVIDIA_TESLA_P4": ((1, 2, 4), 24),
    "NVIDIA_TESLA_P100": ((1, 2, 4), 16),
    "NVIDIA_TESLA_V100": ((1, 2, 4, 8), 12),
}
# The cores of the smallest machine of a family on which Vertex AI trains, where there are smaller ones.
LEAST_CORES = {
    **dict.fromkeys(("e2-standard", "n1-standard", "n2-standard"), 4),
    **dict.fromkeys(("e2-highcpu", "n1-highcpu", "n2-highcpu"), 16),
}
TPUS = ("TPU_V2", "TPU_V3")
ACCELERATORS = (*ATTACHED, *WITH_GPUS, *TPUS)
TPU_MACHINE = re.compile(r"cloud-tpu|ct\d.*|tpu\d.*")
# Machines without accelerators that a custom job may have, with their cores and memory in GB.
_PLAIN = {
    **{f"e2-highmem-{cores}": (cores, 8.0 * cores) for cores in (2, 4, 8, 16)},
    **{f"e2-standard-{cores}": (cores, 4.0 * cores) for cores in (4, 8, 16, 32)},
    **{f"n1-highmem-{cores}": (cores, 6.5 * cores) for cores in (32, 64, 96)},
}
ARM = re.compile(r"(a4x|c4a|n4a|t2a)-.*")

_BUNDLED = {machine: (gpu, count) for gpu, of in WITH_GPUS.items() for machine, count in of.items()}
_WITHOUT = [f"{family}-{cores}" for family, sizes in FAMILIES.items() for cores in sizes.split()]
_TRAINING = [*_WITHOUT, *_BUNDLED, "cloud-tpu", "ct5lp-hightpu-1t", "ct5lp-hightpu-4t", "ct5lp-hightpu-8t"]


def fitting(cores: int, memory_gb: int) -> str:
    """Return the smallest machine of a custom job that has so many cores and so much memory, or the largest of all."""
    enough = [name for name, (c, gb) in _PLAIN.items() if c >= cores and gb >= memory_gb]
    return min(enough or [max(_PLAIN, key=_PLAIN.__getitem__)], key=_PLAIN.__getitem__)


def check_machine(machine: str) -> str:
    """Return `machine`, the name of a machine type without GPUs or a TPU.

    Raises:
      ValueError: there is none of this name.
    """
    if machine in _BUNDLED:
        raise ValueError("it has GPUs, which only vertex.trainer uses; write n1-standard-4, for example")
    return _check(machine, _WITHOUT)


def check_trainer_machine(machine: str) -> str:
    """Return `machine`, a machine type on which Vertex AI may train, with GPUs, of a TPU or of neither.

    Raises:
      ValueError: there is none of this name, or it is too small.
    """
    if TPU_MACHINE.fullmatch(machine):
        return machine
    family, _, cores = _check(machine, _TRAINING).rpartition("-")
    least = LEAST_CORES.get(family, 0)
    if least and int(cores) < least:
        raise ValueError(f"Vertex AI trains on {least} cores or more of {family}: write {family}-{least}")
    return machine


def _check(machine: str, known: list[str]) -> str:
    if machine in known:
        return machine
    if ARM.fullmatch(machine):
        raise ValueError("it has Arm processors, and the images of this project are for x86; write n1-standard-8")
    family, _, cores = machine.rpartition("-")
    if family in FAMILIES:
        sizes = FAMILIES[family].split()
        enough = [size for size in sizes if cores.isdecimal() and int(size) >= int(cores)]
        nearest = f"{family}-{(enough or sizes[-1:])[0]}"  # the next larger one
        raise ValueError(f"{family} has {', '.join(sizes)} cores: write {nearest}")
    near = difflib.get_close_matches(machine.lower().replace("_", "-"), known, n=1, cutoff=0.5) or ["n1-standard-8"]
    raise ValueError(f"no machine type has this name; did you mean {near[0]}?")


def check_accelerator(accelerator: str) -> str:
    """Return `accelerator`. ValueError if Vertex AI has none of this name."""
    if accelerator in ACCELERATORS:
        return accelerator
    by_model = {_model(name): name for name in ACCELERATORS}  # T4 of NVIDIA_T4, nvidia-tesla-t4, NVIDIA_TESLA_T4
    near = difflib.get_close_matches(_model(accelerator), by_model, n=1, cutoff=0.5)
    hint = f"did you mean {by_model[near[0]]}?" if near else f"they are {', '.join(ACCELERATORS)}"
    raise ValueError(f"no accelerator of Vertex AI has this name; {hint}")


def check_gpus(machine: str, accelerator: str | None, count: int) -> None:
    """Raise ValueError if the machine cannot have that many of these GPUs; TPUs are not looked at."""
    if accelerator in TPUS or TPU_MACHINE.fullmatch(machine):
        return
    if machine in _BUNDLED:
        gpu, gpus = _BUNDLED[machine]
        if (accelerator, count) != (gpu, gpus):
            raise ValueError(f"machine_type {machine} needs accelerator {gpu} and accelerator_count {gpus}")
    elif accelerator in WITH_GPUS:
        machines = [name for name, gpus in WITH_GPUS[accelerator].items() if gpus >= count] or WITH_GPUS[accelerator]
        raise ValueError(f"accelerator {accelerator} comes with machine_type {' or '.join(machines)}, not {machine}")
    elif accelerator and not machine.startswith("n1-"):
        raise ValueError(f"accelerator {accelerator} needs machine_type n1-…, for example n1-standard-8, not {machine}")
    elif accelerator:
        _check_attached(machine, accelerator, count)
    elif count != 1:
        raise ValueError(f"accelerator_count {count} needs an accelerator, for example accelerator=NVIDIA_TESLA_T4")


def _check_attached(machine: str, accelerator: str, count: int) -> None:
    """Raise ValueError if an n1 machine cannot have that many GPUs of this type, which have few cores each."""
    counts, cores_each = ATTACHED[accelerator]
    cores = int(machine.rpartition("-")[2])
    allowed = [str(each) for each in counts if each * cores_each >= cores]
    if not allowed:
        raise ValueError(f"accelerator {accelerator} needs at most {counts[-1] * cores_each} cores, not {machine}")
    if str(count) not in allowed:
        one_of = "is" if len(allowed) == 1 else "is one of"
        raise ValueError(f"accelerator_count of {accelerator} on {machine} {one_of} {', '.join(allowed)}, not {count}")


def _model(accelerator: str) -> str:
    return re.sub(r"NVIDIA_|TESLA_|_GPU$|_\d+GB$", "", accelerator.upper().replace("-", "_"))
