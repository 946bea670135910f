"""Reads a run's latency.hlog with PyPI's hdrhistogram and compares counts and percentiles with its run.json, exactly.

    check_hlog.py RUN_DIRECTORY

run.json takes the value of rank ⌈q · count⌉, as the Java and JavaScript implementations do; the Python one rounds q · count to
the nearest rank. So ranks are counted here, over the buckets that the Python implementation decoded, and its own percentile
is compared as well wherever both definitions name the same rank.

Exit status: 0 everything is equal, 1 something differs (one line each).
"""

import json
import math
import pathlib
import sys
from fractions import Fraction

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

LOWEST_NS, HIGHEST_NS, DIGITS = 1, 3_600_000_000_000, 3
# Fractions, because 0.9999 times a count is not a whole number in floats where it should be one.
PERCENTILES = {
    "p50_ns": Fraction("50"),
    "p90_ns": Fraction("90"),
    "p95_ns": Fraction("95"),
    "p99_ns": Fraction("99"),
    "p99_9_ns": Fraction("99.9"),
    "p99_99_ns": Fraction("99.99"),
}


def empty():
    return HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)


def histograms_by_tag(path):
    """All intervals of each tag added up, and how many intervals there were."""
    reader, added, intervals = HistogramLogReader(str(path), empty()), {}, 0
    while (interval := reader.get_next_interval_histogram()) is not None:
        intervals += 1
        # The Python implementation takes the least value of an empty histogram for 0, and keeps it when it adds.
        if interval.get_total_count() == 0:
            continue
        tag = interval.get_tag()
        if tag not in added:
            added[tag] = empty()
        added[tag].add(interval)
    return added, intervals


def value_of_rank(histogram, rank):
    total = 0
    for item in histogram.get_recorded_iterator():
        total += item.count_added_in_this_iter_step
        if total >= rank:
            return histogram.get_highest_equivalent_value(item.value_iterated_to)
    raise ValueError(f"rank {rank} of {total} values")


def expected_of(histogram):
    """What run.json has to say of this histogram, and how many percentiles the library names itself."""
    count = histogram.get_total_count()
    if count == 0:
        return {"count": 0, "min_ns": None, "max_ns": None, **dict.fromkeys(PERCENTILES)}, 0
    figures = {"count": count, "min_ns": histogram.get_min_value(), "max_ns": histogram.get_max_value()}
    agreed = 0
    for key, percentile in PERCENTILES.items():
        rank = max(1, math.ceil(percentile * count / 100))
        figures[key] = value_of_rank(histogram, rank)
        if histogram.get_target_count_at_percentile(float(percentile)) == rank:
            agreed += 1
            theirs = histogram.get_value_at_percentile(float(percentile))
            assert theirs == figures[key], f"{key}: the library says {theirs}, counting ranks {figures[key]}"
    return figures, agreed


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[1])
    document = json.loads((directory / "run.json").read_text())
    added, intervals = histograms_by_tag(directory / "latency.hlog")
    differences, compared, named = [], 0, 0
    expected_tags = {f"{stream['name']}.{kind}" for stream in document["streams"] for kind in ("response", "service")}
    for stranger in sorted(set(added) - expected_tags, key=str):
        differences.append(f"tag {stranger} is in latency.hlog but no stream of run.json has that name")
    for stream in document["streams"]:
        for kind in ("response", "service"):
            tag = f"{stream['name']}.{kind}"
            figures, agreed = expected_of(added.get(tag, empty()))
            named += agreed
            for key, value in figures.items():
                compared += 1
                if stream[kind][key] != value:
                    differences.append(f"{tag} {key}: {stream[kind][key]} in run.json, {value} in latency.hlog")
    for difference in differences:
        print(difference, file=sys.stderr)
    print(
        f"latency.hlog: {intervals} intervals read, {compared} figures compared, {len(differences)} differ; "
        f"{named} percentiles are also the library's own"
    )
    # A log that nothing was read from agrees with anything.
    sys.exit(1 if differences or not intervals else 0)


main()
