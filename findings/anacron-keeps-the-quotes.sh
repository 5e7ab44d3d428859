#!/usr/bin/env bash
# anacron keeps quotes around the value of a variable; the cron of the same Debian removes them.
#
# Versions: anacron 2.3-36 of Debian 12 (amd64). The other cron is 3.0pl1-162.
#
# Guess: variables in an anacrontab are read like those in a crontab, where quotes around a value are removed,
#   so LOG="/var/log/job.log" sets /var/log/job.log.
# Behavior: the quotes are part of the value. The path is then relative, and begins with a quote; jobs of
#   anacron start in the root directory.
#
# Output seen:
#   LOG is "/var/log/job.log" (18 characters), in /
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -o APT::Sandbox::User="$(id -un)" --quiet=2 download anacron=2.3-36
dpkg -x anacron_*.deb unpacked

mkdir spool
cat >anacrontab <<TABLE
SHELL=/bin/sh
PATH=/usr/bin:/bin
LOG="/var/log/job.log"
1 0 job echo "LOG is \$LOG (\${#LOG} characters), in \$(pwd)" > $work/seen
TABLE
# In the foreground, without a delay, no matter when the job last ran.
unpacked/usr/sbin/anacron -d -f -n -t "$work/anacrontab" -S "$work/spool" 2>log || { cat log; exit 1; }

cat seen
[ "$(cat seen)" = 'LOG is "/var/log/job.log" (18 characters), in /' ]
