#!/usr/bin/env bash
# Tests tailtrace against a real Milvus, a real Jaeger and other people's clients and readers. Installs what it needs, once.
#
#   run.sh                 everything
#   run.sh install         only what needs the network: into REAL_STACK_CACHE (settings.sh)
#
# Set TAILTRACE to a binary to test that one; otherwise the release build of this repository is made and tested.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=settings.sh
. "$here/settings.sh"
# shellcheck source=process.sh
. "$here/process.sh"

install_all() {
    # Each says by itself what is missing; asked for here first, so that nothing is built for nothing.
    need_venv
    need_tool curl "install curl"
    "$here/milvus.sh" install
    make_venv "$REAL_STACK_CACHE/checks-venv" "$here/requirements-checks.txt"
    make_venv "$REAL_STACK_CACHE/python-client-venv" "$here/clients/python/requirements.txt"
    if has_node; then make_node_modules "$REAL_STACK_CACHE/node-client" "$here/clients/node"; fi
    "$here/jaeger.sh" install
}

build_tailtrace() {
    [ -n "${TAILTRACE:-}" ] && return
    need_tool cargo "install Rust from https://rustup.rs"
    (cd "$here/../.." && cargo build --release --quiet)
    TAILTRACE=$(cd "$here/../.." && cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/tailtrace
    export TAILTRACE
}

# In a network namespace of its own nothing can reach the servers, which matters for a Milvus that binds every address, and
# every port is free. Not every machine lets us make one.
isolated() {
    local enter
    for enter in "unshare --net" "unshare --user --map-root-user --net"; do
        # shellcheck disable=SC2086 # the words of the command
        if $enter sh -c 'ip link set lo up' 2>/dev/null; then
            printf '%s' "$enter"
            return
        fi
    done
}

install_all
[ "${1:-}" = install ] && exit
build_tailtrace

enter=$(isolated)
if [ -n "$enter" ]; then
    # shellcheck disable=SC2086,SC2016 # the words of the command; expanded inside
    exec $enter sh -c 'ip link set lo up && exec "$0"' "$here/checks.sh"
fi
note "no network namespace to be had here: Milvus will listen on every address of this machine while the tests run"
eval "$("$REAL_STACK_CACHE/checks-venv/bin/python" "$here/free_ports.py" \
    MILVUS_PORT MILVUS_HEALTH_PORT JAEGER_OTLP_PORT JAEGER_HTTP_PORT JAEGER_ADMIN_PORT PRACTICE_PORT COLLECTOR_PORT)"
MILVUS_TRACE_ENDPOINT=127.0.0.1:$JAEGER_OTLP_PORT
export MILVUS_PORT MILVUS_HEALTH_PORT MILVUS_TRACE_ENDPOINT JAEGER_OTLP_PORT JAEGER_HTTP_PORT JAEGER_ADMIN_PORT PRACTICE_PORT COLLECTOR_PORT
exec "$here/checks.sh"
