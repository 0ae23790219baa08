"""A platform implements all that the chain asks of it by itself: what it lacks is an error."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow  # imports TFX


def test_a_platform_inherits_nothing() -> None:
    from pipeline.platform import Platform
    from pipeline.platforms.local.platform import LocalPlatform
    from pipeline.platforms.vertex.platform import VertexPlatform

    asked = {name for name in vars(Platform) if not name.startswith("_")}
    assert {"beam_args", "pusher", "trainer_config"} < asked
    for platform in (LocalPlatform, VertexPlatform):
        assert platform.__bases__ == (object,)
        assert asked - vars(platform).keys() == set(), platform


@pytest.mark.parametrize("name", ["caching", "previous_data", "tuner_config"])
def test_what_a_platform_lacks_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.config import load
    from pipeline.platforms.vertex import compile
    from pipeline.platforms.vertex.platform import VertexPlatform

    config, _ = load("cifar10", None, ("vertex.project=my-project", "tuner.trials=2"))
    monkeypatch.delattr(VertexPlatform, name)
    with pytest.raises(AttributeError, match=name):
        compile.spec(config)
