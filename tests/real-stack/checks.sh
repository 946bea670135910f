#!/usr/bin/env bash
# Starts the servers, runs every check against them, and stops them whatever happens. Started by run.sh, which has installed
# everything, set TAILTRACE and chosen the network and the ports.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# A folder of this run's own: a Milvus somebody started by hand is not ours to empty or to stop.
REAL_STACK_STATE=$(mktemp -d "${TMPDIR:-/tmp}/tailtrace-real-stack.XXXXXX")
export REAL_STACK_STATE
# Whatever is set outside: a request that was not sampled must leave no trace, so Milvus may not sample by itself.
export MILVUS_SAMPLE_FRACTION=0
# shellcheck source=settings.sh
. "$here/settings.sh"
# shellcheck source=process.sh
. "$here/process.sh"
: "${TAILTRACE:?set it to the tailtrace binary, or start run.sh}"
: "${PRACTICE_PORT:=19540}"
: "${COLLECTOR_PORT:=4327}"
python=$REAL_STACK_CACHE/checks-venv/bin/python
jaeger=http://127.0.0.1:$JAEGER_HTTP_PORT
results=$REAL_STACK_STATE/results
failed=()

leave() {
    local status=$?
    stop_process practice
    stop_process milvus
    stop_process jaeger
    # REAL_STACK_KEEP=DIR: the run directory that was checked is put there, to be recorded.
    if [ -n "${REAL_STACK_KEEP:-}" ]; then
        mkdir -p "$REAL_STACK_KEEP" && cp -R "$results"/. "$REAL_STACK_KEEP"/
    fi
    if [ "$status" -eq 0 ]; then
        rm -rf "$REAL_STACK_STATE"
    else
        note "logs and results stay in $REAL_STACK_STATE"
    fi
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# check WHAT COMMAND…: a failure is kept for the end, so that one run shows everything that is wrong.
check() {
    local what=$1 began=$SECONDS
    shift
    note "$what"
    if "$@"; then
        note "$what: ok ($((SECONDS - began)) s)"
    else
        failed+=("$what")
        note "$what: FAILED ($((SECONDS - began)) s)"
    fi
}

# settings NAME=VALUE…: as options, in the array `options`.
settings() {
    options=()
    for setting in "$@"; do options+=(--set "$setting"); done
}

# quiet_run NAME SETTING…: a run into $results. A starved Milvus stops answering for seconds, which the run reports as it should and
# which would fail the checks of its figures: so up to three runs, until one was quiet. Only the last one's directory is looked at.
quiet_run() {
    local name=$1 attempt options
    shift
    settings "$@"
    for attempt in 1 2 3; do
        results=$REAL_STACK_STATE/$name-$attempt
        "$TAILTRACE" run "$here/searches-beside-inserts.toml" --json --out "$results" "${options[@]}" >"$REAL_STACK_STATE/run.stdout.json" || return
        was_quiet && return
        note "attempt $attempt: the target did not answer all requests, or something else took the machine"
    done
}

measure() {
    quiet_run results "target.uri=http://127.0.0.1:$MILVUS_PORT" "trace.endpoint=http://127.0.0.1:$JAEGER_OTLP_PORT" "trace.jaeger=$jaeger"
}

was_quiet() {
    "$python" -c '
import json, sys
run = json.load(open(sys.argv[1]))
sys.exit(run["trust"] != "valid" or any(stream["ok"] < stream["scheduled"] for stream in run["streams"]))' "$REAL_STACK_STATE/run.stdout.json"
}

run_directory() { printf '%s' "$results"/*/; }

# What --json prints is the document that run.json holds.
same_document() {
    "$python" -c 'import json, sys; a, b = (json.load(open(path)) for path in sys.argv[1:]); sys.exit(a != b)' \
        "$REAL_STACK_STATE/run.stdout.json" "$(run_directory)run.json"
}

# strong NAME SETTING…: the load whose guilty span is known, into a results folder of its own; its run directory.
strong() {
    local name=$1 options
    shift
    settings "$@"
    "$TAILTRACE" run "$here/strong-beside-inserts.toml" --quiet --out "$REAL_STACK_STATE/$name" \
        --set "target.uri=http://127.0.0.1:$MILVUS_PORT" "${options[@]}"
}

# explained NAME OPTION…: what `explain` says of that run, as people read it and as the check reads it.
explained() {
    local directory
    directory=$(echo "$REAL_STACK_STATE/$1"/*/)
    "$TAILTRACE" explain "$directory" --above p90 --stream readers
    "$TAILTRACE" explain "$directory" --above p90 --stream readers --json >"$directory/explain.json"
    "$python" "$here/check_explain.py" "$directory/explain.json" "${@:2}"
}

explained_from_jaeger() {
    strong strong-jaeger "trace.endpoint=http://127.0.0.1:$JAEGER_OTLP_PORT" "trace.jaeger=$jaeger" && explained strong-jaeger
}

# Milvus reads its trace settings at start, so it is started again, its spans going to tailtrace, which hands them on.
explained_from_the_collector() {
    "$here/milvus.sh" stop
    MILVUS_TRACE_ENDPOINT=127.0.0.1:$COLLECTOR_PORT "$here/milvus.sh" start
    strong strong-collector "trace.endpoint=built-in" "trace.listen=127.0.0.1:$COLLECTOR_PORT" \
        "trace.forward=http://127.0.0.1:$JAEGER_OTLP_PORT" "trace.jaeger=$jaeger" && explained strong-collector --all-sampled
}

# client_is_explained SERVICE OPERATION: the traces that a client has left in Jaeger, without any run of tailtrace.
client_is_explained() {
    local explanation=$REAL_STACK_STATE/$1.json
    # Milvus exports its spans every 5 s: before that its part of the last traces is missing, and would look like network.
    sleep 7
    "$TAILTRACE" explain --jaeger "$jaeger" --service "$1" --operation "$2" --above p90 --json >"$explanation" \
        && "$python" "$here/check_explain.py" "$explanation"
}

# The tutorial's Python client.
python_client_is_explained() {
    "$REAL_STACK_CACHE/python-client-venv/bin/python" "$here/clients/python/searches.py" \
        "http://127.0.0.1:$MILVUS_PORT" "http://127.0.0.1:$JAEGER_OTLP_PORT" \
        && client_is_explained milvus-client /milvus.proto.milvus.MilvusService/Search
}

# A client of another language; its packages are not beside it, so Node is told where they are.
node_client_is_explained() {
    NODE_PATH=$REAL_STACK_CACHE/node-client/node_modules node "$here/clients/node/searches.js" \
        "127.0.0.1:$MILVUS_PORT" "http://127.0.0.1:$JAEGER_OTLP_PORT" \
        && client_is_explained milvus-node-client grpc.milvus.proto.milvus.MilvusService/Search
}

# A Jaeger that takes spans by TLS only. What is not trusted costs the spans, which is told, and not the run.
traced_by_tls() {
    local certificates=$here/../jaeger_server results
    local practice=(target.uri=practice 'practice.service="constant 5ms"' load.warmup=1s load.duration=10s)
    practice+=("trace.endpoint=https://localhost:$JAEGER_OTLP_PORT" "trace.jaeger=$jaeger")
    "$here/jaeger.sh" stop
    JAEGER_TLS_CERT=$certificates/localhost.pem JAEGER_TLS_KEY=$certificates/localhost.key "$here/jaeger.sh" start
    OTEL_EXPORTER_OTLP_CERTIFICATE=$certificates/authority.pem quiet_run tls "${practice[@]}" \
        && "$python" "$here/check_traces.py" "$results"/*/ "$jaeger" \
        && quiet_run tls-untrusted "${practice[@]}" \
        && "$python" -c '
import json, sys
run = json.load(open(sys.argv[1]))
trace, told = run["trace"], [finding["message"] for finding in run["findings"]]
lost = trace["exported"] == 0 < trace["sampled"] == trace["failed"] + trace["dropped"]
sys.exit(None if lost and any("could not be delivered" in message for message in told) else f"{trace}\n{told}")' "$REAL_STACK_STATE/run.stdout.json"
}

practice_answers() {
    start_process practice "$TAILTRACE" practice --port "$PRACTICE_PORT"
    "$python" "$here/pymilvus_practice.py" "http://127.0.0.1:$PRACTICE_PORT"
}

"$here/jaeger.sh" start
"$here/milvus.sh" start

check "the wire subset is pymilvus's" "$python" "$here/check_wire.py"
check "a run against a real Milvus" measure
if [ -f "$(run_directory)run.json" ]; then
    check "--json prints run.json" same_document
    check "every sampled request is joined in Jaeger" "$python" "$here/check_traces.py" "$(run_directory)" "$jaeger"
    check "another HdrHistogram reads the log" "$python" "$here/check_hlog.py" "$(run_directory)"
fi
check "doctor finds the chain whole, and names what is broken" "$here/check_doctor.sh"
check "the guilty span is named from Jaeger's traces" explained_from_jaeger
check "the traces of the tutorial's Python client are explained" python_client_is_explained
if has_node; then
    check "the traces of a Node client are explained" node_client_is_explained
else
    note "no node and npm here: the traces of a Node client are not checked"
fi
check "the guilty span is named from the built-in collector's traces" explained_from_the_collector
check "pymilvus runs against the practice target" practice_answers
check "spans go to a Jaeger that takes them by TLS only" traced_by_tls

if [ ${#failed[@]} -gt 0 ]; then
    note "${#failed[@]} failed: $(printf '%s; ' "${failed[@]}")"
    exit 1
fi
note "everything holds"
