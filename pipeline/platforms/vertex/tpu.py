"""The TPUs on which Vertex AI trains with TensorFlow, and those that this project's image can use: of one machine.

The tables are those of Google's page "Configure compute resources for serverless training" (November 2026):
https://docs.cloud.google.com/gemini-enterprise-agent-platform/machine-learning/training/configure-compute#tpu
A slice of several machines also needs Google's own base image (tf-tpu-pod-base), whose entry point TFX's command of a
custom job would replace.
"""

from __future__ import annotations

import re

from pipeline.platforms.vertex.machines import TPU_MACHINE, TPUS

# Of a TPU v5e: by machine type, how many machines each topology is made of.
TOPOLOGIES = {
    "ct5lp-hightpu-1t": {"1x1": 1},
    "ct5lp-hightpu-4t": {"2x2": 1, "2x4": 2, "4x4": 4, "4x8": 8, "8x8": 16, "8x16": 32, "16x16": 64},
    "ct5lp-hightpu-8t": {"2x4": 1},
}
# Of a TPU v2 or v3: the cores of one machine. A slice of several has a multiple of 32.
MACHINE = "cloud-tpu"
CORES = 8

LIBTPU = "/lib/libtpu.so"  # where the Dockerfile puts it, as Google asks
# TensorFlow drives a v5e by PJRT alone, and a v2 or v3 without it: so this is said by the job, not by the image.
PJRT = {"NEXT_PLUGGABLE_DEVICE_USE_C_API": "true", "TF_PLUGGABLE_DEVICE_LIBRARY_PATH": LIBTPU}

_LARGEST = "the largest TPU on one machine is machine_type=ct5lp-hightpu-8t with tpu_topology=2x4"
_SEVERAL = f"and this project's image trains on one; {_LARGEST}"


def environment(machine_type: str) -> dict[str, str]:
    """Return the variables of the container that trains on this machine type."""
    return PJRT if machine_type in TOPOLOGIES else {}


def problem(machine_type: str, accelerator: str | None, count: int, topology: str | None, workers: int) -> str:
    """Return what is wrong with the TPU that these settings ask for, and what to write; '' if nothing is, or no TPU."""
    machine = bool(TPU_MACHINE.fullmatch(machine_type))
    if not (machine or accelerator in TPUS or topology):
        return ""
    if machine_type == MACHINE or (accelerator in TPUS and not machine):
        found = _cores(machine_type, accelerator, count, topology)
    elif machine:
        found = _slice(machine_type, accelerator, count, topology)
    else:
        found = f"tpu_topology is for machine types ct5lp-…, not {machine_type}"
    return found or (f"a TPU is one worker, not {workers}; {_LARGEST}" if workers > 1 else "")


def _cores(machine_type: str, accelerator: str | None, count: int, topology: str | None) -> str:
    if machine_type == MACHINE and not accelerator:
        return f"machine_type {MACHINE} needs accelerator={' or '.join(TPUS)} and accelerator_count={CORES}"
    if machine_type != MACHINE or accelerator not in TPUS:
        return (
            f"machine_type {machine_type} does not go with accelerator {accelerator}; TPU_V2 and TPU_V3 have "
            f"machine_type={MACHINE}, and a v5e has machine_type=ct5lp-hightpu-4t, tpu_topology=2x2 and no accelerator"
        )
    if topology:
        return f"tpu_topology is for machine types ct5lp-…, not {MACHINE}; write accelerator_count={CORES} instead"
    if count != CORES and count % 32 == 0:
        return f"accelerator_count={count} of {accelerator} is {count // CORES} machines, {_SEVERAL}"
    if count != CORES:
        return f"accelerator_count={count} of {accelerator} does not exist; write accelerator_count={CORES}"
    return ""


def _slice(machine_type: str, accelerator: str | None, count: int, topology: str | None) -> str:
    topologies = TOPOLOGIES.get(machine_type)
    if topologies is None:
        of_jax = re.match("ct6e|tpu7", machine_type)
        reason = "TensorFlow does not run there" if of_jax else "there is no training on it"
        return f"machine_type {machine_type}: {reason} on Vertex AI; {_choices()}"
    if accelerator or count != 1:
        setting = f"accelerator={accelerator}" if accelerator else f"accelerator_count={count}"
        return f"machine_type {machine_type} has its TPU by itself; leave out {setting}"
    here = next(name for name, machines in topologies.items() if machines == 1)
    if not topology:
        return f"machine_type {machine_type} needs tpu_topology={here}"
    if topology not in topologies:
        return f"machine_type {machine_type} has no tpu_topology {topology}; {_choices()}"
    if topologies[topology] > 1:
        return f"tpu_topology={topology} of {machine_type} is {topologies[topology]} machines, {_SEVERAL}"
    return ""


def _choices() -> str:
    of_one = [
        f"{machine} with {topology}"
        for machine, topologies in TOPOLOGIES.items()
        for topology, machines in topologies.items()
        if machines == 1
    ]
    return f"the choice is {', '.join(of_one)}, or {MACHINE} with accelerator {' or '.join(TPUS)}"
