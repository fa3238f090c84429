#!/bin/sh
# failover.sh - a balancer killed, stopped and put back, over and over, under requests; Redis's primary killed. Options go to failover.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec python3 "$here/failover.py" --build "$here/../../build/release" "$@"
