#!/usr/bin/env bash
# systemd-cron kills the background processes of scripts in cron.daily, but not those of crontab lines.
#
# Versions: systemd-cron 1.15.19-5 of Debian 12, systemd 252, Python 3.11.
#
# Guess: both are jobs of the same cron, so a job that starts something in the background (a refresh, an
#   ssh-agent, a detached upload) behaves the same as a line of a crontab and as a script in /etc/cron.daily.
#   And with systemd one expects that everything left in the control group is killed, in both cases.
# Behavior: the generator writes KillMode=process into the units that it makes of crontab lines, so the
#   processes that they leave behind continue. cron-hourly, -daily, -weekly and -monthly.service are ordinary
#   files of the package without KillMode. The default of systemd is control-group: all processes that the
#   scripts of run-parts left behind are killed when the last script ends. (Both were run by systemd 252, as
#   a manager for a user: the child of the first wrote its file three seconds later, that of the second
#   never did.)
#
# Output seen:
#   a line of a crontab:  KillMode=process
#   cron-hourly.service:  KillMode is not set
#   cron-daily.service:   KillMode is not set
#   cron-weekly.service:  KillMode is not set
#   cron-monthly.service: KillMode is not set
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -o APT::Sandbox::User="$(id -un)" --quiet=2 download systemd-cron=1.15.19-5
dpkg -x systemd-cron_*.deb unpacked

# The generator reads /etc/crontab, so it gets an /etc of its own.
mkdir etc units
cp /etc/passwd /etc/group etc/
echo "* * * * * root /bin/true with arguments" >etc/crontab
unshare --map-root-user --mount sh -c 'mount --bind "$1/etc" /etc && exec /usr/bin/python3 "$2" "$1/units"' sh \
    "$work" "$work/unpacked/lib/systemd/system-generators/systemd-crontab-generator"

mode() {
    grep '^KillMode=' "$1" || echo "KillMode is not set"
}
crontab=$(mode units/cron-*-root-*.service)
echo "a line of a crontab:  $crontab"
[ "$crontab" = "KillMode=process" ]
for each in hourly daily weekly monthly; do
    found=$(mode "unpacked/lib/systemd/system/cron-$each.service")
    printf '%-21s %s\n' "cron-$each.service:" "$found"
    [ "$found" = "KillMode is not set" ]
done
