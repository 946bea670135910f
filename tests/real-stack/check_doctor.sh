#!/usr/bin/env bash
# tailtrace doctor against the real servers: a whole chain within 15 seconds, and each thing that is broken on purpose named.
# Started by checks.sh, with both servers up and the environment of settings.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=settings.sh
. "$here/settings.sh"
: "${TAILTRACE:?set it to the tailtrace binary, or start run.sh}"

doctor() {
    "$TAILTRACE" doctor "$here/searches-beside-inserts.toml" \
        --management "http://127.0.0.1:$MILVUS_HEALTH_PORT" \
        --set "target.uri=http://127.0.0.1:$MILVUS_PORT" \
        --set "trace.endpoint=http://127.0.0.1:$JAEGER_OTLP_PORT" \
        --set "trace.jaeger=http://127.0.0.1:$JAEGER_HTTP_PORT" "$@"
}

# names WORDS ARGUMENT…: it must end with 1 and say these words.
names() {
    local words=$1 said status=0
    shift
    said=$(doctor "$@") || status=$?
    if [ "$status" -ne 1 ] || [[ $said != *"$words"* ]]; then
        printf 'doctor %s ended with %s and did not say "%s":\n%s\n' "$*" "$status" "$words" "$said" >&2
        return 1
    fi
}

began=$SECONDS
doctor
took=$((SECONDS - began))
if [ "$took" -ge 15 ]; then
    printf 'the doctor took %s s\n' "$took" >&2
    exit 1
fi
names "propagation suppressed" --set trace.propagation=none
names "COLLECTOR_OTLP_ENABLED is missing" --set "trace.endpoint=http://127.0.0.1:1"
names "TLS mismatch" --set "trace.endpoint=https://127.0.0.1:$JAEGER_OTLP_PORT"
names "port closed" --set "target.uri=http://127.0.0.1:1"
