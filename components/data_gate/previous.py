"""The latest accepted data, which drift is measured against."""

from __future__ import annotations

import ml_metadata as mlmd
from tfx.dsl.components.common import resolver
from tfx.types import Artifact


class LatestAcceptedData(resolver.ResolverStrategy):
    """Resolves `previous` to the latest findings older than the `statistics` of this run, or to nothing.

    The gate stores findings only for accepted data, so refused data is never compared with. Only findings older than
    the statistics count, so the same data always has the same `previous`: a repeated run comes from the cache, even
    after a run of other data.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        statistics = input_dict["statistics"]
        older = [a for a in input_dict["previous"] if statistics and a.id < statistics[0].id]
        return {"statistics": statistics, "previous": sorted(older, key=lambda a: a.id)[-1:]}
