#!/bin/bash
# units.sh - the systemd units, as systemd's own tools see them: no unknown setting, exposure below 3, and what they start is installed.
: "${BERTH_SOURCE:?the source tree}"
command -v systemd-analyze >/dev/null || {
    echo "skipped: no systemd-analyze on this machine"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
for unit in "$BERTH_SOURCE"/infra/systemd/*@.service; do
    name=$(basename "$unit" @.service)
    copy=$work/$name@a.service
    cp "$unit" "$copy"
    systemd-analyze security --offline=yes --threshold=29 "$copy" >"$work/out" 2>&1 || {
        tail -1 "$work/out"
        echo "FAILED: $name is exposed by 3 or more"
        status=1
    }
    # The programs are not installed where the tests run; any other word of the verifier is a fault.
    systemd-analyze verify "$copy" 2>&1 | grep -F "$name@a.service" | grep -vE "is not executable|No such file" >"$work/out" && {
        cat "$work/out"
        echo "FAILED: $name is not a right unit"
        status=1
    }
    program=$(sed -n 's|^ExecStart=/usr/bin/\([a-z-]*\) .*|\1|p' "$unit")
    [ -x "$BERTH_BIN/$program" ] || {
        echo "FAILED: $name starts $program, which is not built"
        status=1
    }
    echo "$name: looked at"
done
exit $status
