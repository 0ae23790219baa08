# The image of every stage on Vertex AI and of every worker of Dataflow: `make image`.
# The Trainer's on GPUs or a TPU: `make image ACCELERATOR=gpu` (or tpu). `cloudbuild.yaml` builds the same without Docker.
ARG ACCELERATOR=cpu
ARG PYTHON=3.10.19

# ------------------------------------------------------------------------------ packages, every file checked by its hash
# With a compiler, not the slim image: pyfarmhash, of TensorFlow Data Validation, is published as source alone.
FROM python:${PYTHON}-bookworm AS packages-cpu
ENV UV_NO_CACHE=1 UV_LINK_MODE=copy
RUN python -m pip install --no-cache-dir uv==0.13.9 && uv venv /opt/venv
WORKDIR /build
COPY requirements/image.txt requirements/gpu.txt requirements/tpu.txt ./
RUN uv pip sync --python /opt/venv/bin/python --require-hashes --compile-bytecode image.txt

FROM packages-cpu AS packages-gpu
RUN uv pip install --python /opt/venv/bin/python --require-hashes --no-deps --requirement gpu.txt

# TensorFlow for TPUs over the one that is there. Google publishes libtpu beside PyPI: its version is pinned, its hash not.
FROM packages-cpu AS packages-tpu
RUN uv pip install --python /opt/venv/bin/python --require-hashes --no-deps --requirement tpu.txt && \
    uv pip install --python /opt/venv/bin/python --no-deps \
      --find-links https://storage.googleapis.com/libtpu-tf-releases/index.html libtpu==2.16.0rc0

# hadolint ignore=DL3006
FROM packages-${ACCELERATOR} AS packages

FROM apache/beam_python3.10_sdk:2.74.0 AS beam

# ------------------------------------------------------------------------------ what is left of it, and this project
FROM python:${PYTHON}-slim-bookworm
COPY --from=packages /opt/venv /opt/venv
COPY --from=beam /opt/apache/beam /opt/apache/beam
COPY pipeline /pipeline/pipeline
COPY components /pipeline/components
COPY schema /pipeline/schema
COPY setup.py /pipeline/

ARG NVIDIA=/opt/venv/lib/python3.10/site-packages/nvidia
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/pipeline \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    LD_LIBRARY_PATH=$NVIDIA/cublas/lib:$NVIDIA/cuda_cupti/lib:$NVIDIA/cuda_runtime/lib:$NVIDIA/cudnn/lib:$NVIDIA/cufft/lib:$NVIDIA/curand/lib:$NVIDIA/cusolver/lib:$NVIDIA/cusparse/lib:$NVIDIA/nccl/lib:$NVIDIA/nvjitlink/lib \
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
RUN python -m compileall -q /pipeline && useradd --create-home --uid 10001 pipeline
WORKDIR /pipeline
USER 10001

# Vertex AI gives each stage a command of its own; a worker of Dataflow begins with this one.
ENTRYPOINT ["/opt/apache/beam/boot"]
