"""Holds an explanation against what is known of the load that it explains: searches with consistency Strong beside inserts.

    check_explain.py EXPLANATION [--all-sampled] [--least-share 0.9]

EXPLANATION is what `tailtrace explain --json` printed. For every stream or operation that searches: the table's rows add up to
the group's mean response time within 1 %, in both groups; the verdict names `Delegator-waitTSafe`, and it alone; it is the first
row, and its share of the excess is at least what is asked for. With --all-sampled, where every request's trace is there, also:
the traced requests' mean is that of all requests of the group. Standard library only.

Exit status: 0 all of it holds, 1 something does not (one line each).
"""

import argparse
import json
import sys

GUILTY = "Delegator-waitTSafe"
ADD_UP_WITHIN = 0.01
# An HdrHistogram of three digits knows a mean within 0.1 %; the traced group may lack a trace or two that was cut.
ALL_MEAN_WITHIN = 0.01


def troubles_of_group(stream, group, key):
    total = sum(row[key] for row in stream["rows"])
    mean = stream[group]["mean_ns"]
    if abs(total - mean) > ADD_UP_WITHIN * mean:
        yield f"{group}: rows add up to {total / 1e6:.3f} ms, the mean response time is {mean / 1e6:.3f} ms"


def troubles_of(stream, least_share):
    yield from troubles_of_group(stream, "tail", "tail_self_ns")
    yield from troubles_of_group(stream, "typical", "typical_self_ns")
    named, verdict = stream["named"], stream["verdict"]
    if (verdict, named) != ("single", GUILTY):
        yield f"verdict {verdict}, named {named}; right is single, {GUILTY}"
    if stream["rows"][0]["span"] != GUILTY:
        yield f"the first row is {stream['rows'][0]['span']}, not {GUILTY}"
    share = sum(row["share"] for row in stream["rows"] if row["span"] == GUILTY)
    if share < least_share:
        yield f"{GUILTY} has {share:.1%} of the excess, less than {least_share:.0%}"


def troubles_of_means(stream):
    for group in ("tail", "typical"):
        mean, of_all = stream[group]["mean_ns"], stream[group].get("all_mean_ns")
        if of_all is not None and abs(mean - of_all) > ALL_MEAN_WITHIN * of_all:
            yield f"{group}: the traced requests took {mean / 1e6:.3f} ms, all of them {of_all / 1e6:.3f} ms"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("explanation")
    parser.add_argument("--all-sampled", action="store_true")
    parser.add_argument("--least-share", type=float, default=0.9)
    arguments = parser.parse_args()
    with open(arguments.explanation) as file:
        streams = [stream for stream in json.load(file)["streams"] if "search" in stream["operation"].lower()]
    troubles = [] if streams else ["no stream or operation that searches is explained"]
    for stream in streams:
        found = list(troubles_of(stream, arguments.least_share))
        if arguments.all_sampled:
            found += troubles_of_means(stream)
        troubles += [f"{stream['name']}: {trouble}" for trouble in found]
        share = max((row["share"] for row in stream["rows"] if row["span"] == GUILTY), default=0)
        print(f"{stream['name']}: {stream['verdict']} {stream['named']}, {share:.1%} of the excess, {stream['tail']['traced']} traced tail requests")
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    sys.exit(bool(troubles))


main()
