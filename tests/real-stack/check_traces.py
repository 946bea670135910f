"""Follows every sampled request of a run into Jaeger, and holds the run's own account of its traces against what is there.

    check_traces.py RUN_DIRECTORY JAEGER_URL

For each exported trace id: the client's span is there, as long as the request's service time, and Milvus's server span hangs
under it. Requests that were not sampled have left no trace. Decided, sampled, ended and exported add up, and sampled/decided
lies inside the binomial interval that the sampling fraction gives. Of the result itself: percentiles, recall of the searches,
no errors, trust `valid`. Standard library only.

Exit status: 0 all of it holds, 1 something does not (one line each).
"""

import collections
import http.client
import json
import math
import pathlib
import sys
import time
import urllib.parse

SERVER_SERVICE = "standalone"
SERVER_METHODS = {"search": "Search", "insert": "Insert", "query": "Query", "upsert": "Upsert", "delete": "Delete"}
# Milvus exports a batch every 5 s, Jaeger stores at once.
ARRIVE_WITHIN_S = 30
# 99.9 %: one run in a thousand fails by chance.
TAIL = 0.0005
# Jaeger keeps whole microseconds, and rounds start and duration apart.
ROUNDING_NS = 2_000
PERCENTILES = ("p50_ns", "p90_ns", "p95_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns")


class Jaeger:
    """Its query API over one connection."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)

    def spans(self, trace_id):
        """The trace's spans by id, empty where Jaeger has no such trace."""
        self.connection.request("GET", f"/api/traces/{trace_id}")
        response = self.connection.getresponse()
        body = response.read()
        if response.status == 404:
            return {}
        if response.status != 200:
            sys.exit(f"Jaeger answered {response.status} for trace {trace_id}: {body[:200]!r}")
        (trace,) = json.loads(body)["data"]
        for span in trace["spans"]:
            span["service"] = trace["processes"][span["processID"]]["serviceName"]
        return {span["spanID"]: span for span in trace["spans"]}


def parents(span):
    return [reference["spanID"] for reference in span["references"] if reference["refType"] == "CHILD_OF"]


def trouble_with(request, spans, client_service, methods):
    """What is wrong with this request's trace; None where nothing is."""
    client = spans.get(request["span_id"])
    if client is None:
        return "the client's span is not in Jaeger"
    if client["service"] != client_service:
        return f"the client's span belongs to service {client['service']}, not {client_service}"
    service_ns = request["done_ns"] - request["sent_ns"]
    if abs(client["duration"] * 1_000 - service_ns) > ROUNDING_NS:
        return f"the client's span takes {client['duration']} us, the request took {service_ns} ns"
    # An unfinished request may have ended before Milvus did.
    if request["outcome"] != "ok":
        return None
    wanted = f"milvus.proto.milvus.MilvusService/{methods[request['stream']]}"
    below = [span for span in spans.values() if request["span_id"] in parents(span) and span["service"] == SERVER_SERVICE]
    if not any(span["operationName"] == wanted for span in below):
        names = sorted(f"{span['service']} {span['operationName']}" for span in spans.values())
        return f"no {SERVER_SERVICE} span {wanted} hangs under the client's span; the trace has {names}"
    return None


def follow(jaeger, requests, client_service, methods):
    """Asks again for traces that are not whole until they are, or until what Milvus buffers must have arrived."""
    end = time.monotonic() + ARRIVE_WITHIN_S
    waiting, spans_by_service = requests, collections.Counter()
    while True:
        troubles, still = [], []
        for request in waiting:
            spans = jaeger.spans(request["trace_id"])
            trouble = trouble_with(request, spans, client_service, methods)
            if trouble is None:
                spans_by_service.update(span["service"] for span in spans.values())
            else:
                still.append(request)
                troubles.append(f"{request['stream']} {request['sequence']}, trace {request['trace_id']}: {trouble}")
        if not still or time.monotonic() > end:
            return troubles, spans_by_service
        waiting = still
        time.sleep(1)


def binomial_interval(count, probability):
    """The least and greatest number of successes outside of which lies at most TAIL on either side."""
    log_p, log_q = math.log(probability), math.log1p(-probability)

    def mass(k):
        ways = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
        return math.exp(ways + k * log_p + (count - k) * log_q)

    low, total = 0, 0.0
    while (total := total + mass(low)) <= TAIL:
        low += 1
    high, total = count, 0.0
    while (total := total + mass(high)) <= TAIL:
        high -= 1
    return low, high


def accounting(trace, requests):
    """Sentences about the run's account of its traces that are not true."""
    sampled_by = trace["sampled_by"]
    low, high = binomial_interval(trace["decided"], trace["sample_fraction"])
    claims = {
        f"sampled {trace['sampled']} is ratio + burst + forced": trace["sampled"] == sum(sampled_by.values()),
        f"ended {trace['ended']} is sampled {trace['sampled']}": trace["ended"] == trace["sampled"],
        f"ended {trace['ended']} is exported + dropped + failed": trace["ended"]
        == trace["exported"] + trace["dropped"] + trace["failed"],
        f"dropped {trace['dropped']} and failed {trace['failed']} are 0": trace["dropped"] == trace["failed"] == 0,
        f"sampled {trace['sampled']} of {trace['decided']} lies in [{low}, {high}]": low <= trace["sampled"] <= high,
        f"requests.jsonl holds {len(requests)} sampled requests, as many as were exported": len(requests) == trace["exported"],
        "no trace id stands twice": len({request["trace_id"] for request in requests}) == len(requests),
    }
    return [f"not true: {claim}" for claim, holds in claims.items() if not holds]


def figures(document):
    """Sentences about the measured figures that are not true."""
    claims = {
        f"trust is valid, not {document['trust']} ({[f['message'] for f in document['findings']]})": document["trust"] == "valid",
        "the result is whole": not document["partial"],
    }
    for stream in document["streams"]:
        name = stream["name"]
        counted = stream["ok"] + stream["failed"] + stream["timed_out"] + stream["unfinished"]
        claims[f"{name}: scheduled {stream['scheduled']} is ok + failed + timed out + unfinished"] = stream["scheduled"] == counted
        claims[f"{name}: all of {stream['scheduled']} are ok ({stream['errors']})"] = stream["ok"] == stream["scheduled"] > 0
        for kind in ("response", "service", "lateness"):
            values = [stream[kind][key] for key in PERCENTILES]
            claims[f"{name}: {kind} percentiles are there and ascend: {values}"] = None not in values and values == sorted(values)
        if stream["operation"] == "search":
            recall = stream["recall"] or {"mean": 0.0, "queries": 0}
            claims[f"{name}: recall over some queries is in (0.5, 1]: {recall}"] = 0.5 < recall["mean"] <= 1 and recall["queries"] > 0
    return [f"not true: {claim}" for claim, holds in claims.items() if not holds]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    directory, jaeger = pathlib.Path(sys.argv[1]), Jaeger(sys.argv[2])
    document = json.loads((directory / "run.json").read_text())
    kept = [json.loads(line) for line in (directory / "requests.jsonl").read_text().splitlines()]
    sampled = [request for request in kept if request["sampled"]]
    unsampled = [request for request in kept if not request["sampled"] and request["trace_id"]]
    methods = {stream["name"]: SERVER_METHODS[stream["operation"]] for stream in document["streams"]}

    troubles = figures(document) + accounting(document["trace"], sampled)
    untraced, spans_by_service = follow(jaeger, sampled, document["trace"]["service_name"], methods)
    troubles += untraced
    troubles += [f"trace {r['trace_id']} is in Jaeger, but was not sampled" for r in unsampled if jaeger.spans(r["trace_id"])]

    for trouble in troubles[:20]:
        print(trouble, file=sys.stderr)
    if len(troubles) > 20:
        print(f"and {len(troubles) - 20} more", file=sys.stderr)
    trace = document["trace"]
    print(
        f"traces: {len(sampled) - len(untraced)} of {len(sampled)} joined in Jaeger ({dict(spans_by_service)}), "
        f"{len(unsampled)} unsampled ones left none; decided {trace['decided']}, sampled {trace['sampled']}"
    )
    # A run that sampled nothing has nothing that could be missing.
    sys.exit(1 if troubles or not sampled else 0)


main()
