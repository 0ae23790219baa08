"""A network of the user's own: a function in a file of theirs that returns an uncompiled `keras.Sequential`.

The file is read once, when the pipeline is created; its text is passed to the stage with the settings. So it is part of
the cache key and of a checkpoint's key, and machines without the file can train.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import linecache
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import files
from components.errors import UserError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from components.trainer.config import Settings

_LARGEST = 64 * 1024  # bytes of the file: it travels in the arguments of a job


def read(name: str) -> str:
    """Return the text of the file of `name`, FILE.py:FUNCTION, checked as far as it can be without running it.

    Raises:
      UserError: there is no such file or function, it is not Python, or it needs another file of the user's.
    """
    path, function = _split(name)
    try:
        content = Path(path).expanduser().read_bytes()
        text = content.decode()
        tree = ast.parse(text, path)
    except OSError as error:
        raise UserError(f"trainer.network: cannot read {path}: {files.error_reason(error)}") from None
    except SyntaxError as error:
        raise UserError(f"trainer.network: {path}, line {error.lineno}: {error.msg}") from None
    except ValueError as error:
        raise UserError(f"trainer.network: {path} is not a Python file: {error}") from None
    if len(content) > _LARGEST:
        raise UserError(f"trainer.network: {path} has {len(content):,} bytes, more than {_LARGEST:,}: shorten it")
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if function not in functions:
        raise UserError(
            f"trainer.network: {path} has no function {function!r}; it has {', '.join(functions) or 'none'}"
        )
    for module in _imported(tree):
        if _is_of_the_user(module, Path(path).expanduser().parent):
            raise UserError(
                f"trainer.network: {path} imports {module}, another file of yours, whose edits would go unnoticed: "
                "put all that the network needs into one file"
            )
    return text


class FromFile:
    """The network that a function of the user's returns, optimized by Adam: see `networks.Network`."""

    def __init__(self, name: str, code: str) -> None:
        self._name, self._code = name, code

    def build(self, settings: Settings, classes: int) -> keras.Sequential:
        """Return the network, its logits as they are.

        Raises:
          UserError: the function fails, or what it returns is not a network from such images to so many logits.
        """
        import keras
        import tensorflow as tf

        from components.trainer.model import LOGITS

        shape = (settings.size, settings.size, 3)
        model = self._call(lambda: _function(self._name, self._code)(shape, classes))
        self._check_input(model, shape)
        logits = keras.layers.Rescaling(1.0, dtype="float32", name=LOGITS)
        network = self._call(lambda: keras.Sequential([keras.Input(shape), model, logits]))
        self._check_output(model, classes)
        self._call(lambda: keras.saving.serialize_keras_object(model))  # not after hours of training
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            for layer in model._flatten_layers():
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.synchronized = True  # else each replica would have statistics of its own
        return network

    def _check_input(self, model: Any, shape: tuple[int, int, int]) -> None:
        import keras

        if not isinstance(model, keras.Sequential):
            raise self._error(f"returned {type(model).__name__}, not a keras.Sequential")
        if model.compiled:
            raise self._error("returned a compiled model; leave compile() out: the Trainer does it all")
        takes = model.input_shape if model.built else (None, *shape)
        fits = len(takes) == 4 and all(size in (None, expected) for size, expected in zip(takes[1:], shape))
        if not fits or takes[0] is not None:
            raise self._error(f"takes {takes}, not any number of images of the given shape {shape}")

    def _check_output(self, model: keras.Sequential, classes: int) -> None:
        import keras

        if model.output_shape != (None, classes):
            raise self._error(
                f"gives {model.output_shape[1:]} an image, not one logit for each of {classes} classes: "
                "end it with Dense(classes), the function's second argument"
            )
        last_layer = model.layers[-1]
        activation = getattr(getattr(last_layer, "activation", None), "__name__", "linear")
        if activation != "linear" or isinstance(last_layer, keras.layers.Softmax):
            raise self._error("ends with an activation, but the loss takes logits: leave it out of the last layer")

    def prepare(self, model: keras.Sequential, settings: Settings, images: Callable[[], tf.Tensor]) -> None:
        """Do nothing: the function's model is ready to train."""

    def optimizer(self, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
        """Return Adam with a learning rate that falls linearly to zero."""
        import keras

        return keras.optimizers.Adam(keras.optimizers.schedules.PolynomialDecay(learning_rate, max(1, steps), 0.0))

    def _call(self, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except Exception as error:  # whatever the user's code raises
            path, _ = _split(self._name)
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
            where = f"line {lines[-1]}: " if lines else ""
            message = " ".join(str(error).split())[:300]
            raise self._error(f"{where}{type(error).__name__}: {message}") from error

    def _error(self, message: str) -> UserError:
        return UserError(f"trainer.network {self._name}: {message}")


@functools.cache  # Keras registers classes by name, and an ensemble builds the network many times
def _function(name: str, code: str) -> Callable[..., Any]:
    path, function = _split(name)
    module = types.ModuleType(f"network_{hashlib.sha256(code.encode()).hexdigest()[:12]}")
    module.__file__ = path
    sys.modules[module.__name__] = module
    linecache.cache[path] = (len(code), None, code.splitlines(keepends=True), path)  # for AutoGraph and tracebacks
    exec(compile(code, path, "exec"), vars(module))
    network: Callable[..., Any] = getattr(module, function)
    return network


def _split(name: str) -> tuple[str, str]:
    path, _, function = name.rpartition(":")
    return path, function


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def _is_of_the_user(module: str, folder: Path) -> bool:
    """Return True if a module lies beside the user's file or in the current folder and is not this project's."""
    top_package = module.partition(".")[0]
    if top_package == "components":
        return False
    places = [(parent / top_package) for parent in (folder, Path())]
    return not top_package or any(place.with_suffix(".py").is_file() or any(place.glob("*.py")) for place in places)
