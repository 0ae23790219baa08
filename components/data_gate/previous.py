"""The latest accepted data, which drift is measured against."""

from __future__ import annotations

import ml_metadata as mlmd
from tfx.dsl.components.common import resolver
from tfx.types import Artifact


class LatestAcceptedData(resolver.ResolverStrategy):
    """Resolves `previous` to the latest findings older than the `statistics` of this run, or to nothing.

    The gate keeps findings of accepted data only, so data that was refused never becomes the measure. As only
    what is older than the statistics counts, the same data has the same `previous` for ever: a run of it
    again, also after a run of other data, is served from cache.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        statistics = input_dict["statistics"]
        older = [a for a in input_dict["previous"] if statistics and a.id < statistics[0].id]
        return {"statistics": statistics, "previous": sorted(older, key=lambda a: a.id)[-1:]}
