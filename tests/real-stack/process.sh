# shellcheck shell=bash
# One server process: started in a group of its own, known by its id, waited for, and ended with whatever it started.
# Sourced by the scripts beside it, after settings.sh.
#
# Owns: process ids and waiting. Must not know what it starts.

note() { printf 'real-stack: %s\n' "$*" >&2; }

fail() {
    note "$*"
    exit 2
}

# need_tool COMMAND WHAT-TO-DO
need_tool() {
    command -v "$1" >/dev/null 2>&1 || fail "\`$1\` is missing: $2"
}

# need_venv: Debian ships python3 without the module that makes virtual environments usable.
need_venv() {
    need_tool python3 "install Python 3.9 or newer with its venv module (Debian: apt-get install python3 python3-venv)"
    python3 -c 'import venv, ensurepip' 2>/dev/null \
        || fail "python3 has no venv module: install it (Debian: apt-get install python3-venv)"
}

# make_venv FOLDER REQUIREMENTS: once; again when the requirements change.
make_venv() {
    local folder=$1 requirements=$2 stamp
    stamp=$folder/requirements.sha256
    if [ -f "$stamp" ] && sha256sum --check --status "$stamp" 2>/dev/null; then
        return
    fi
    need_venv
    rm -rf "$folder"
    mkdir -p "$(dirname "$folder")"
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" \
        || fail "pip could not install $requirements: see its message above"
    # Written last, so that an interrupted installation is not taken for a whole one.
    sha256sum "$requirements" >"$stamp"
}

# has_node: not every machine does, and only one client is Node's.
has_node() { command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1; }

# make_node_modules FOLDER SOURCE: what SOURCE's lock file lists, once; again when that changes.
make_node_modules() {
    local folder=$1 source=$2 stamp
    stamp=$folder/package-lock.sha256
    if [ -f "$stamp" ] && sha256sum --check --status "$stamp" 2>/dev/null; then
        return
    fi
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$source/package.json" "$source/package-lock.json" "$folder"
    (cd "$folder" && npm ci --silent --no-audit --no-fund --ignore-scripts) || fail "npm could not install $source/package-lock.json: \`npm ci\` there says why"
    # Written last, as above.
    sha256sum "$source/package-lock.json" >"$stamp"
}

pid_file() { printf '%s/%s.pid' "$REAL_STACK_STATE" "$1"; }
log_file() { printf '%s/%s.log' "$REAL_STACK_STATE" "$1"; }

# is_running NAME: a process id is ours only while it leads its own group, so a recycled id is not mistaken for the server.
is_running() {
    local pid
    pid=$(cat "$(pid_file "$1")" 2>/dev/null) || return 1
    [ "$(ps -o pgid= -p "$pid" 2>/dev/null | tr -d ' ')" = "$pid" ]
}

# start_process NAME COMMAND…: in the background, in a session of its own, its output in NAME.log.
start_process() {
    local name=$1
    shift
    need_tool setsid "install util-linux"
    need_tool ps "install procps"
    is_running "$name" && fail "$name runs already (process $(cat "$(pid_file "$name")")): stop it first with $name.sh stop"
    mkdir -p "$REAL_STACK_STATE"
    # `sh -c` writes its own id and becomes the server, so the file holds the id of the server and of its group.
    # shellcheck disable=SC2016 # expanded by the inner shell
    setsid sh -c 'echo $$ >"$1"; shift; exec "$@"' sh "$(pid_file "$name")" "$@" >"$(log_file "$name")" 2>&1 </dev/null &
    # The file appears a moment after the fork; without it the server could not be ended.
    local tries=0
    until [ -s "$(pid_file "$name")" ] || [ $((tries += 1)) -gt 100 ]; do sleep 0.05; done
}

# need_free_ports PORT…: a stranger on the port would be taken for the server that we start.
need_free_ports() {
    local port
    for port in "$@"; do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            fail "port $port is taken on 127.0.0.1: end what listens there, or set another port (settings.sh lists them)"
        fi
    done
}

# wait_until_healthy NAME URL: until URL answers with success, NAME has ended, or the limit has passed.
wait_until_healthy() {
    local name=$1 url=$2 began=$SECONDS
    need_tool curl "install curl"
    until curl --silent --fail --noproxy '*' --max-time 2 --output /dev/null "$url"; do
        if ! is_running "$name"; then
            tail -n 20 "$(log_file "$name")" >&2
            fail "$name ended while it started: the end of its log ($(log_file "$name")) is above"
        fi
        if [ $((SECONDS - began)) -ge "$REAL_STACK_START_LIMIT" ]; then
            tail -n 20 "$(log_file "$name")" >&2
            stop_process "$name"
            fail "$name was not healthy after $REAL_STACK_START_LIMIT s at $url: the end of its log is above"
        fi
        sleep 0.2
    done
    note "$name is healthy after $((SECONDS - began)) s (process $(cat "$(pid_file "$name")"))"
}

# stop_process NAME: asks the whole group to end, and after ten seconds ends it.
stop_process() {
    local name=$1 pid tries=0
    if is_running "$name"; then
        pid=$(cat "$(pid_file "$name")")
        kill -TERM -- "-$pid" 2>/dev/null || true
        while kill -0 -- "-$pid" 2>/dev/null && [ $((tries += 1)) -le 100 ]; do sleep 0.1; done
        # What was killed holds its ports for a moment more.
        while kill -KILL -- "-$pid" 2>/dev/null && [ $((tries += 1)) -le 200 ]; do sleep 0.1; done
        note "$name stopped (process $pid)"
    fi
    rm -f "$(pid_file "$name")"
}
