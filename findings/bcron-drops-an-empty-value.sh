#!/usr/bin/env bash
# bcron ignores the line "MAILTO=" of a crontab, which is the usual way to turn mail off.
#
# Versions: bcron 0.11-19 and libbg2 2.04+dfsg-2.1 of Debian 12 (amd64).
#
# Guess: `MAILTO=` sets an empty MAILTO, which turns mail off; an empty value is a value.
# Behavior: a variable without a value is an "unparseable line", which is ignored with a warning in the
#   daemon's log, and the job has no MAILTO at all. `MAILTO=""` is read.
#
# Output seen:
#   bcron-sched: Warning: Ignoring unparseable line: 'MAILTO='
#   MAILTO="" is read without a warning
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${daemon:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get -o APT::Sandbox::User="$(id -un)" --quiet=2 download bcron=0.11-19 libbg2=2.04+dfsg-2.1
for each in *.deb; do dpkg -x "$each" unpacked; done

# What the daemon says when it loads a crontab whose first line is this one.
loaded() {
    rm -rf spool
    mkdir -p spool/crontabs
    mkfifo spool/trigger
    printf '%s\n0 0 1 1 * true\n' "$1" >"spool/crontabs/$(id -un)"
    chmod 600 spool/crontabs/*
    BCRON_SPOOL=$work/spool LD_LIBRARY_PATH=$work/unpacked/usr/lib \
        unpacked/usr/sbin/bcron-sched >/dev/null 2>log &
    daemon=$!
    until grep -q Loading log; do sleep 0.1; done
    sleep 0.5
    kill "$daemon"
    wait "$daemon" || true
    grep Warning log || true
}
empty=$(loaded 'MAILTO=')
quoted=$(loaded 'MAILTO=""')
echo "$empty"
[ "$empty" = "bcron-sched: Warning: Ignoring unparseable line: 'MAILTO='" ]
[ -z "$quoted" ]
echo 'MAILTO="" is read without a warning'
