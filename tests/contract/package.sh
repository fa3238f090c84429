#!/bin/bash
# package.sh - the Debian package: everything in it, depending on what it is linked with, and the programs in it run.
: "${BERTH_BIN:?the directory of the programs}"
command -v dpkg-deb >/dev/null && command -v cpack >/dev/null || { echo "skipped: no dpkg-deb or cpack"; exit 77; }
grep -q "^BERTH_SANITIZE:.*=.\+" "$BERTH_BIN/../CMakeCache.txt" && { echo "skipped: a package of a sanitizers' build is for nobody"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
(cd "$BERTH_BIN/.." && cpack -B "$work/out" >"$work/log" 2>&1) || fail "cpack: $(tail -n 5 "$work/log")"
deb=$(ls "$work"/out/berth_*.deb) || fail "no package"
dpkg-deb -x "$deb" "$work/root"
dpkg-deb -e "$deb" "$work/control"
for program in "$BERTH_BIN"/berth*; do
    [ "$(basename "$program")" != berth-sim ] || continue # a tool of the developers
    name=$(basename "$program")
    [ -x "$work/root/usr/bin/$name" ] || fail "$name is not in the package"
    said=$("$work/root/usr/bin/$name" --version) || fail "$name --version"
    [ "$(dpkg-deb -f "$deb" Version)" = "${said##* }" ] || fail "package $(dpkg-deb -f "$deb" Version), program: $said"
done
for unit in "$work"/root/usr/lib/systemd/system/*.service; do
    program=$(sed -n 's|^ExecStart=\(/usr/bin/[a-z-]*\) .*|\1|p' "$unit")
    [ -x "$work/root$program" ] || fail "$(basename "$unit") starts $program, which is not in the package"
done
[ -x "$work/root/usr/sbin/berth-boot" ] || fail "berth-boot is not in the package"
for library in libwebsockets libhiredis libcurl libjansson libyaml libssl libev libexpat; do
    dpkg-deb -f "$deb" Depends | grep -q "$library" || fail "it does not depend on $library"
done
for script in postinst prerm; do
    [ -x "$work/control/$script" ] && sh -n "$work/control/$script" || fail "$script"
done
echo "package: $(basename "$deb"), $(stat -c %s "$deb") bytes"
