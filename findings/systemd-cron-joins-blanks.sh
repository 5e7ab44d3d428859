#!/usr/bin/env bash
# systemd-cron replaces several blanks in a command with one, even between quotes.
#
# Versions: systemd-cron 1.15.19-5 of Debian 12, Python 3.11.
#
# Guess: a cron hands the rest of the line to the shell as it is written, so `echo "a   b"` prints three
#   blanks.
# Behavior: systemd-crontab-generator splits the line at blanks and joins the words with one blank each,
#   before it writes the command into the script that the unit runs. Text between quotes changes, too: a
#   pattern for grep, a file name, a date format.
#
# Output seen:
#   the crontab: * * * * * root printf '%s\n' "a   b" > /tmp/seen
#   the script:  printf '%s\n' "a b" > /tmp/seen
#   it prints:   a b
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -o APT::Sandbox::User="$(id -un)" --quiet=2 download systemd-cron=1.15.19-5
dpkg -x systemd-cron_*.deb unpacked

# The generator reads /etc/crontab, so it gets an /etc of its own.
mkdir etc units
cp /etc/passwd /etc/group etc/
line="* * * * * root printf '%s\\n' \"a   b\" > $work/seen"
echo "$line" >etc/crontab
unshare --map-root-user --mount sh -c 'mount --bind "$1/etc" /etc && exec /usr/bin/python3 "$2" "$1/units"' sh \
    "$work" "$work/unpacked/lib/systemd/system-generators/systemd-crontab-generator"

script=$(echo units/cron-*-root-*.sh)
sh "$script"
echo "the crontab: $line" | sed "s|$work|/tmp|"
echo "the script:  $(cat "$script")" | sed "s|$work|/tmp|"
echo "it prints:   $(cat seen)"
[ "$(cat seen)" = "a b" ]
