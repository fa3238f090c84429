#!/bin/sh
# Run rx-vectors on a file of cases, as a test. Says "skipped" (exit 77) when the file is not there.
#   check.sh RX-VECTORS FILE
if [ ! -r "$2" ]; then
    echo "skipped: no $2"
    exit 77
fi
exec "$1" "$2"
