# The image of every stage on Vertex AI and of every worker of Dataflow: `make image`.
# The Trainer's on GPUs or a TPU: `make image ACCELERATOR=gpu` (or tpu). `cloudbuild.yaml` builds the same without Docker.
ARG ACCELERATOR=cpu
# TFX 1.21, or 1.16, of which all images are when the Trainer has a TPU: tensorflow-tpu ends before TFX 1.21.
ARG LANE=1.21

# ------------------------------------------------------------------------------ packages, every file checked by its hash
# With a compiler, not the slim image: pyfarmhash, of TensorFlow Data Validation, is published as source alone.
FROM python:3.13.11-trixie AS python-1.21
FROM python:3.10.19-bookworm AS python-1.16
# hadolint ignore=DL3006
FROM python-${LANE} AS packages-cpu
ENV UV_NO_CACHE=1 UV_LINK_MODE=copy
RUN python -m pip install --no-cache-dir uv==0.13.9 && uv venv /opt/venv && \
    ln -s "$(basename /opt/venv/lib/python3.*)" /opt/venv/lib/python
WORKDIR /build
COPY requirements/image.txt requirements/gpu.txt requirements/tpu.txt ./
RUN uv pip sync --python /opt/venv/bin/python --require-hashes --compile-bytecode image.txt

FROM packages-cpu AS packages-gpu
RUN uv pip install --python /opt/venv/bin/python --require-hashes --no-deps --requirement gpu.txt

# TensorFlow for TPUs over the one that is there. Google publishes libtpu beside PyPI: its version is pinned, its hash not.
FROM packages-cpu AS packages-tpu
ARG LANE
RUN if [ "$LANE" != 1.16 ]; then echo "the image for a TPU needs LANE=1.16" >&2; exit 1; fi && \
    uv pip install --python /opt/venv/bin/python --require-hashes --no-deps --requirement tpu.txt && \
    uv pip install --python /opt/venv/bin/python --no-deps \
      --find-links https://storage.googleapis.com/libtpu-tf-releases/index.html libtpu==2.16.0rc0 && \
    test -f /opt/venv/lib/python/site-packages/libtpu/libtpu.so

# hadolint ignore=DL3006
FROM packages-${ACCELERATOR} AS packages

FROM apache/beam_python3.13_sdk:2.77.0 AS beam-1.21
FROM apache/beam_python3.10_sdk:2.74.0 AS beam-1.16
# hadolint ignore=DL3006
FROM beam-${LANE} AS beam

# ------------------------------------------------------------------------------ what is left of it, and this project
FROM python:3.13.11-slim-trixie AS slim-1.21
FROM python:3.10.19-slim-bookworm AS slim-1.16
# As root, like the images of Beam and Google: Dataflow gives its workers a folder that belongs to root, and nothing says
# that another user may open a TPU.
# hadolint ignore=DL3006
FROM slim-${LANE} AS image-cpu
COPY --from=packages /opt/venv /opt/venv
COPY --from=beam /opt/apache/beam /opt/apache/beam
COPY pipeline /pipeline/pipeline
COPY components /pipeline/components
COPY schema /pipeline/schema
COPY setup.py /pipeline/
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/pipeline \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
RUN python -m compileall -q /pipeline
WORKDIR /pipeline
# Vertex AI gives each stage a command of its own; a worker of Dataflow begins with this one.
ENTRYPOINT ["/opt/apache/beam/boot"]

# Vertex AI puts NVIDIA's driver into /usr/local/nvidia, and leaves it to the image to look there.
FROM image-cpu AS image-gpu
ARG NVIDIA=/opt/venv/lib/python/site-packages/nvidia
ENV PATH=$PATH:/usr/local/nvidia/bin \
    LD_LIBRARY_PATH=$NVIDIA/cublas/lib:$NVIDIA/cuda_cupti/lib:$NVIDIA/cuda_nvrtc/lib:$NVIDIA/cuda_runtime/lib:$NVIDIA/cudnn/lib:$NVIDIA/cufft/lib:$NVIDIA/curand/lib:$NVIDIA/cusolver/lib:$NVIDIA/cusparse/lib:$NVIDIA/nccl/lib:$NVIDIA/nvjitlink/lib:/usr/local/nvidia/lib64:/usr/local/nvidia/lib \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# TensorFlow opens libtpu.so by this variable or by its plain name, and Google asks for it in /lib.
FROM image-cpu AS image-tpu
ENV TPU_LIBRARY_PATH=/lib/libtpu.so
RUN ln -s /opt/venv/lib/python/site-packages/libtpu/libtpu.so /lib/libtpu.so

# hadolint ignore=DL3006
FROM image-${ACCELERATOR}
