#!/bin/sh
# partition.sh - cables pulled between balancers, Redis and nodes, in network namespaces; needs root.
set -eu
PATH=$PATH:/usr/sbin:/sbin
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
command -v ip >/dev/null || { echo "skipped: no ip (iproute2)"; exit 77; }
probe=btp$$
ip netns add "$probe" 2>/dev/null || { echo "skipped: network namespaces cannot be made (not root)"; exit 77; }
ip netns exec "$probe" true 2>/dev/null || works=no # not in a chroot, where / is no mount point
ip netns del "$probe"
[ "${works:-yes}" = yes ] || { echo "skipped: ip netns exec does not work here"; exit 77; }
exec python3 "$(dirname "$0")/partition.py" --build "$(dirname "$BERTH_BIN")"
