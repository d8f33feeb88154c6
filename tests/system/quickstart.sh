#!/bin/bash
# Runs examples/quickstart.sh as a newcomer would, from a fresh clone, and looks what it leaves: nothing.
# In a mount namespace whose /tmp is a directory of this test's own, so that everything in it is the script's; against no
# engine that may be running here, so that it starts one. 77: cannot run here, which CI does not accept.
#
#   quickstart.sh SOURCE
set -uo pipefail
source=${1:?the source tree is missing}

cannot_run()
{
    echo "quickstart: cannot run: $1"
    [ "${OUTCALL_TESTS_MUST_WORK:-}" != 1 ] || exit 1
    exit 77
}

if [ "${2:-}" != inside ]; then
    [ "$(id -u)" = 0 ] || cannot_run "needs root"
    git -c safe.directory='*' -C "$source" rev-parse --verify -q HEAD >/dev/null || cannot_run "$source is no clone"
    unshare -mn true || cannot_run "no namespace can be made here"
    work=$(mktemp -d /tmp/oc-qst.XXXXXX) || exit 1
    # shellcheck disable=SC2064
    trap "rm -rf --one-file-system '$work'" EXIT
    trap 'exit 130' INT TERM
    git -c safe.directory='*' -c advice.detachedHead=false clone -q "$source" "$work/clone" && mkdir -m 1777 "$work/tmp" || exit 1
    QUICKSTART_TEST=$work unshare -m --propagation private bash "${BASH_SOURCE[0]}" "$work" inside
    exit $?
fi

# --- inside -------------------------------------------------------------------------------------------------------------

# shellcheck source=tests/support/engine.sh
. "$source/clone/tests/support/engine.sh"
mkdir "$source/tmp/clone" && mount --bind "$source/clone" "$source/tmp/clone" && mount --rbind "$source/tmp" /tmp || exit 1
cd /tmp/clone || exit 1
mounts_before=$(awk '{ print $5 }' /proc/self/mountinfo | sort)

# mine: processes that inherited this test's mark and are not its own.
mine()
{
    local entry
    for entry in /proc/[0-9]*; do
        if [ "${entry#/proc/}" = $$ ] || pid_gone "${entry#/proc/}"; then
            continue
        fi
        grep -qzxF "QUICKSTART_TEST=$QUICKSTART_TEST.run" "$entry/environ" 2>/dev/null && echo "${entry#/proc/} $(tr '\0' ' ' <"$entry/cmdline")"
    done
}

# shellcheck disable=SC2317 # poll calls it
none_of_mine()
{
    [ -z "$(mine)" ]
}

result=0
wrong()
{
    printf 'quickstart: %s\n' "$@" >&2
    result=1
}

QUICKSTART_TEST=$QUICKSTART_TEST.run DOCKER_HOST=unix:///tmp/no-engine.sock ./examples/quickstart.sh
code=$?
[ "$code" = 0 ] || wrong "it ended with $code"
poll 10 none_of_mine || wrong "processes are left:" "$(mine)"
left=$(find /tmp -mindepth 1 -maxdepth 1 ! -name clone)
[ -z "$left" ] || wrong "left in /tmp:" "$left"
[ "$(awk '{ print $5 }' /proc/self/mountinfo | sort)" = "$mounts_before" ] || wrong "mounts are left:" "$(cat /proc/self/mountinfo)"
changed=$(git -c safe.directory='*' status --porcelain)
[ -z "$changed" ] || wrong "the clone was changed:" "$changed"
if [ "$result" != 0 ]; then
    mine | while read -r pid _; do
        stop_pid "$pid" 5
    done
fi
exit "$result"
