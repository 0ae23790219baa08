"""The file that `trainer.weights` names: its path, its hash, and its download where it does not come with a package."""

from __future__ import annotations

import os

from components import files
from components.download import Progress, Published, download, verify
from components.errors import UserError
from components.trainer.networks import IMAGENET, NONE, Pretraining, traits

_OTHERWISE = "or use --preset photos as it is: the weights of efficientnet_lite0 come with the package"


def path(network: str, weights: str, cache_dir: str) -> str:
    """Return the path of the file; empty where there is none, or it comes with a package."""
    pretraining = traits(network).pretraining
    if pretraining is None or weights == NONE:
        return ""
    if weights != IMAGENET:
        return weights
    if not pretraining.downloaded:
        return ""
    folder = os.path.abspath(os.path.expanduser(cache_dir))
    return os.path.join(folder, "weights", _published(pretraining).file_name)


def fetch(network: str, weights: str, cache_dir: str, progress: Progress | None = None) -> None:
    """Download the published file if it is not there, and verify it; once, when the run starts.

    Raises:
      UserError: it cannot be had, or the file that is there is not the published one.
    """
    pretraining, target = traits(network).pretraining, path(network, weights, cache_dir)
    if pretraining is None or weights != IMAGENET or not target:
        return
    if os.path.exists(target):
        verify(target, _published(pretraining))
        return
    try:
        download(_published(pretraining), target, progress)
    except UserError as error:
        raise UserError(f"trainer.weights: {str(error).rstrip('.')}; {_OTHERWISE}") from error


def sha256(file: str) -> str:
    """Return the hash of the file at `path`; empty where there is none.

    Raises:
      UserError: it cannot be read.
    """
    try:
        return files.sha256(file) if file else ""
    except OSError as error:
        raise UserError(f"trainer.weights: cannot read {file}: {files.error_reason(error)}") from None


def is_published(network: str, file: str) -> bool:
    """Return whether the file at `path` is the one that `Traits.pretraining` describes, wherever it lies.

    Raises:
      OSError: it cannot be read.
    """
    pretraining = traits(network).pretraining
    return pretraining is not None and bool(file) and not _published(pretraining).difference(file)


def _published(pretraining: Pretraining) -> Published:
    return Published(pretraining.source, pretraining.sha256, pretraining.md5)
