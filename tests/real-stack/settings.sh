# shellcheck shell=bash
# Where the real stack lives and which ports it takes. Sourced by the scripts beside it; every value can be set from outside.
#
# Owns: names and defaults. Must not start, stop or install anything.

# What is worth keeping between runs: virtual environments, the Jaeger binary, Milvus unpacked.
: "${REAL_STACK_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/tailtrace-real-stack}"
# What belongs to the servers running now: process ids, logs, data. Emptied when a server starts.
: "${REAL_STACK_STATE:=$REAL_STACK_CACHE/running}"

: "${MILVUS_PORT:=19530}"
: "${MILVUS_HEALTH_PORT:=9091}"
# Milvus's own sampling. 0 leaves the decision to the client: Milvus joins every trace whose traceparent says "sampled".
: "${MILVUS_SAMPLE_FRACTION:=0}"

: "${JAEGER_OTLP_PORT:=4317}"
: "${JAEGER_HTTP_PORT:=16686}"
: "${JAEGER_ADMIN_PORT:=14269}"
# In-memory storage evicts the oldest trace beyond this, and a trace that was evicted looks like one that was lost.
: "${JAEGER_MAX_TRACES:=100000}"

# Where Milvus sends its spans, as host:port.
: "${MILVUS_TRACE_ENDPOINT:=127.0.0.1:$JAEGER_OTLP_PORT}"

# Seconds a server may take until it is healthy. Milvus needs 3 to 15 on two cores.
: "${REAL_STACK_START_LIMIT:=120}"

MILVUS_VERSION=2.3.5
# The first Go that the module in jaeger/ builds with.
JAEGER_GO_NEEDED=1.23

export REAL_STACK_CACHE REAL_STACK_STATE REAL_STACK_START_LIMIT MILVUS_VERSION JAEGER_GO_NEEDED
export MILVUS_PORT MILVUS_HEALTH_PORT MILVUS_SAMPLE_FRACTION MILVUS_TRACE_ENDPOINT
export JAEGER_OTLP_PORT JAEGER_HTTP_PORT JAEGER_ADMIN_PORT JAEGER_MAX_TRACES
