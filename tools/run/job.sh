# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the main job and the end-to-end tests share: a work folder, daemons, guests, and their end. For bash scripts that run in
# the repository's root:
#
#   . tools/run/job.sh
#   job_begin                                  # sets $work; everything ends with the script
#   job_daemon NAME CONFIG                     # cipud; its RPC socket is $work/NAME.rpc
#   job_guest NAME SCRIPT [BOOT-OPTION]...     # in the background; console in $work/NAME.console
#   job_wait NAME                              # the guest's exit status
#   job_result NAME KEY                        # what the guest printed as `CIPU-RESULT KEY VALUE`

# CARD in the environment, native or rtl, is the kind of card: $job_card for configurations, $job_cipud the daemon that has it.

job_bin=${B:-build/release}/bin
job_card=${CARD:-native}
job_cipud=$job_bin/cipud
[ "$job_card" != rtl ] || job_cipud=$job_bin/cipud-rtl
declare -A job_processes=()
work=

job_begin() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/cipu-run.XXXXXX")
    trap job_end EXIT
    trap 'exit 130' INT TERM HUP
}

# Scripts with more to undo define job_end_more.
job_end() {
    local status=$? process
    trap - EXIT
    for process in "${job_processes[@]}"; do
        kill "$process" 2>/dev/null
    done
    for process in "${job_processes[@]}"; do
        wait "$process" 2>/dev/null
    done
    ! declare -F job_end_more >/dev/null || job_end_more
    ! declare -F peer_remove_all >/dev/null || peer_remove_all
    if [ -n "${KEEP:-}" ]; then
        echo "logs are kept in $work" >&2
    else
        rm -rf "$work"
    fi
    exit "$status"
}

job_fail() {
    echo "$*" >&2
    return 1
}

# job_daemon NAME CONFIG [COMMAND-PREFIX]...
job_daemon() {
    local name=$1 config=$2 try
    shift 2
    setpriv --pdeathsig KILL "$@" "$job_cipud" --config "$config" >"$work/$name.log" 2>&1 </dev/null &
    job_processes[$name]=$!
    for try in {1..100}; do
        ! "$job_bin/cipu" --socket "$work/$name.rpc" rpc version_get >/dev/null 2>&1 || return 0
        kill -0 "${job_processes[$name]}" 2>/dev/null || break
        sleep 0.1
    done
    cat "$work/$name.log" >&2
    job_fail "cipud ($name) does not answer after $((try / 10)) s"
}

# job_stop NAME [SIGNAL]: ends a daemon or guest and gives its exit status.
job_stop() {
    local process=${job_processes[$1]}
    kill "-${2:-TERM}" "$process" 2>/dev/null
    unset "job_processes[$1]"
    wait "$process" 2>/dev/null
}

job_guest() {
    local name=$1 script=$2
    shift 2
    setpriv --pdeathsig TERM tools/guest/boot -r "$script" -l "$work/$name.console" "$@" >"$work/$name.log" 2>&1 &
    job_processes[$name]=$!
}

job_wait() {
    local process=${job_processes[$1]}
    unset "job_processes[$1]"
    wait "$process"
}

# job_await NAME TEXT [SECONDS]: until the console of a guest shows a line that begins with TEXT.
job_await() {
    local try
    for ((try = 0; try < ${3:-60} * 5; try++)); do
        ! grep -q "^$2" "$work/$1.console" 2>/dev/null || return 0
        kill -0 "${job_processes[$1]}" 2>/dev/null || break
        sleep 0.2
    done
    job_fail "guest $1: no '$2' on the console"
}

job_result() {
    tr -d '\r' <"$work/$1.console" | sed -n "s/^CIPU-RESULT $2 //p" | tail -n 1
}

# job_iperf NAME KEY: `Mbit/s lost-percent retransmits` of an iperf3 result in the guest's console; the receiver's view.
job_iperf() {
    job_result "$1" "$2" | python3 -c '
import json, sys
try:
    end = json.load(sys.stdin)["end"]
except (ValueError, KeyError):
    sys.exit(1)
total = end.get("sum_received") or end["sum"]
if "lost_percent" in end.get("sum", {}):
    rate = end["sum"]["bits_per_second"] * (1 - end["sum"]["lost_percent"] / 100)
    lost = end["sum"]["lost_percent"]
else:
    rate, lost = total["bits_per_second"], 0
print("%.1f %.2f %d" % (rate / 1e6, lost, end.get("sum_sent", {}).get("retransmits", 0)))'
}

# job_fio NAME KEY: `errors MB-read MB-written MB/s-read mean-microseconds-of-reads` of a fio result in the guest's console.
job_fio() {
    job_result "$1" "$2" | python3 -c '
import json, sys
try:
    (job,) = json.load(sys.stdin)["jobs"]
    read, write = job["read"], job["write"]
except (ValueError, KeyError):
    sys.exit(1)
print("%d %.1f %.1f %.1f %.0f" % (job["error"], read["io_bytes"] / 1e6, write["io_bytes"] / 1e6, read["bw_bytes"] / 1e6,
                                  read["lat_ns"]["mean"] / 1e3))'
}

# job_statistic NAME PATH: a number out of `cipu --json stats`, as in card.encapsulated.packets
job_statistic() {
    "$job_bin/cipu" --socket "$work/$1.rpc" --json stats | python3 -c '
import functools, json, sys
print(functools.reduce(lambda part, key: part[key], sys.argv[1].split("."), json.load(sys.stdin)))' "$2"
}
