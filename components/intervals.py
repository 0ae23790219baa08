"""Confidence intervals, and whether a difference is chance: the images of a test split as a sample of all images.

- accuracy, top-k accuracy, recall, precision: Wilson's score interval of a proportion (Wilson, 1927).
- F1: TP / (TP + FP + FN) is a proportion p, and F1 = 2p / (1 + p) grows with it, so that Wilson's interval of
  p carries over (the "Wilson indirect" method; Lam, Gopal and Qian, "Confidence intervals for the F1 score: a
  comparison of four methods", arXiv:2309.14621).
- cross entropy: a mean over images, so normal by the central limit theorem, with its standard error.
- two models on the same images: McNemar's exact test (McNemar, 1947: the binomial test of those that only one got
  right) and the interval of Agresti and Min, "Simple improved confidence intervals for comparing matched
  proportions" (2005).
- two models on other images each: method 10 of Newcombe, "Interval estimation for the difference between independent
  proportions" (1998), from Wilson's interval of each.
"""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A metric and its confidence interval."""

    value: float
    low: float
    high: float


def proportion(hits: int, trials: int, confidence: float) -> Estimate:
    """Estimate the proportion `hits` of `trials` (at least one), by Wilson."""
    from scipy.stats import binomtest

    interval = binomtest(hits, trials).proportion_ci(confidence, method="wilson")
    return Estimate(hits / trials, float(interval.low), float(interval.high))


def f1_score(hits: int, images: int, predicted: int, confidence: float) -> Estimate:
    """Estimate F1 of a class: `hits` right answers, `images` in it and `predicted` put into it (not both zero)."""
    share = proportion(hits, images + predicted - hits, confidence)
    return Estimate(*(2 * p / (1 + p) for p in (share.value, share.low, share.high)))


def mean(value: float, standard_error: float, confidence: float) -> Estimate:
    """Estimate a mean that cannot be negative, by the normal interval of its standard error."""
    margin = _quantile(confidence) * standard_error
    return Estimate(value, max(value - margin, 0.0), value + margin)


def mcnemar(gained: int, lost: int) -> float:
    """Return the p-value of McNemar's exact test: only the second model got `gained` right, only the first `lost`."""
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def paired_difference(gained: int, lost: int, images: int, confidence: float) -> tuple[float, float]:
    """Return the interval of the difference of two accuracies on the same images; see `mcnemar`."""
    n, up, down = images + 2, gained + 0.5, lost + 0.5
    middle = (up - down) / n
    margin = _quantile(confidence) * math.sqrt(up + down - (up - down) ** 2 / n) / n
    return max(middle - margin, -1.0), min(middle + margin, 1.0)


def unpaired_difference(a: Estimate, b: Estimate) -> tuple[float, float]:
    """Return the interval of the difference b - a of two proportions, each with Wilson's interval."""
    difference = b.value - a.value
    low = math.hypot(b.value - b.low, a.high - a.value)
    high = math.hypot(b.high - b.value, a.value - a.low)
    return difference - low, difference + high


def _quantile(confidence: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf((1 + confidence) / 2))
