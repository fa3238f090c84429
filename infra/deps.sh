#!/bin/sh
# Install from Debian what infra/deps.txt names and is missing, as root or through sudo. Does nothing when all is there.
#   infra/deps.sh [--list] [dev]     --list: only print what is missing; dev: infra/deps-dev.txt too
set -eu
here=$(dirname "$0")
list=no
files="$here/deps.txt"
for word; do
    case $word in
    --list) list=yes ;;
    dev) files="$files $here/deps-dev.txt" ;;
    *)
        echo "deps: $word: unknown; known are --list and dev" >&2
        exit 2
        ;;
    esac
done

missing=""
# shellcheck disable=SC2086 # a list of files
for package in $(grep -hv '^#' $files); do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ $list = yes ]; then
    echo "$missing" | tr ' ' '\n' | grep .
    exit 0
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: these Debian packages are missing:$missing" >&2
        echo "deps: run as root, or install sudo, or: apt-get install$missing" >&2
        exit 1
    fi
    as_root="sudo"
fi

echo "deps: installing$missing"
install_them() {
    # shellcheck disable=SC2086 # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >"$log" 2>&1
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The package lists of a bare machine are empty or old: fetch them only if the packages cannot be had without.
if ! install_them; then
    echo "deps: fetching the package lists (apt-get update)"
    $as_root apt-get update -qq
    if ! install_them; then
        tail -20 "$log" >&2
        echo "deps: apt-get install failed" >&2
        exit 1
    fi
fi
echo "deps: done"
