"""The package, its dependencies, and what Apache Beam ships to remote workers (`--setup_file=./setup.py`)."""

from setuptools import find_packages, setup

setup(
    name="image-classification-pipeline",
    version="0.1.0",
    description="A TFX pipeline that turns labelled pictures into a validated, evaluated, served classifier.",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["pipeline", "pipeline.*", "components", "components.*"]),
    package_data={"pipeline": ["presets/*.yaml"], "components.report": ["templates/*"]},
    install_requires=[
        "tfx>=1.16.0,<1.22",
        "tensorflow",
        "apache-beam[dill]",
        "tensorflow-data-validation",
        "tensorflow-model-analysis",
        "jinja2",
        "keras>=3.6",
        "keras-tuner>=1.4",
        "matplotlib>=3.8",
        "numpy",
        "pillow",
        "pydantic>=2",
        "pyyaml",
        "rich",
        "scikit-learn",
        "scipy",
        "simplejpeg",
        "tensorboard",
        "zstandard",
        "setuptools<81",
    ],
    extras_require={
        # On a TPU VM, in place of tensorflow: pip install -e .[tpu] -f https://storage.googleapis.com/libtpu-tf-releases/index.html
        "tpu": ["tensorflow-tpu"],
        # kfp-pipeline-spec is all of `tfx[kfp]` that writing a spec, and reading it in the image, needs.
        "vertex": ["google-cloud-aiplatform", "kfp-pipeline-spec>=0.2.2", "requests"],
        "test": [
            "apache-beam[dask]",
            "hypothesis",
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "mypy",
            "ruff",
            "selenium",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["image-pipeline=pipeline.cli:main"]},
)
