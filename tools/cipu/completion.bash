# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion of cipu for bash: source this file, or install it as /usr/share/bash-completion/completions/cipu.

_cipu() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word objects verbs=() words=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == -* ]] || words+=("$word")
    done
    case $previous in
    -s | --socket | -w | --write)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    objects=$(cipu --help | sed -n 's/^  cipu \([a-z]*\).*/\1/p' | sort -u)
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--socket --json --help --version --watch --write --count --seconds' -- "$current")
    elif [ ${#words[@]} = 0 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$objects" -- "$current")
    elif [ ${#words[@]} = 1 ]; then
        mapfile -t verbs < <(cipu --help | sed -n "s/^  cipu ${words[0]} \([a-z]*\).*/\1/p")
        mapfile -t COMPREPLY < <(compgen -W "${verbs[*]}" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W 'name vpc vni mac via addresses gateways socket mtu queue-size port limit backend size block-size read-only create iops bandwidth iops-burst bandwidth-burst weight destroy none type transport volumes subsystem queues serial group optimized non-optimized inaccessible persistent-loss change' -- "$current")
    fi
}
complete -F _cipu cipu
