#!/bin/bash
# make lint: the format of every C file, then clang-tidy (.clang-tidy) over every file that is compiled.
#   infra/lint.sh [FILE ...]     default: all
set -u
cd "$(dirname "$0")/.." || exit 1
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files '*.c' '*.h')
status=0

bad=$(printf '%s\0' "${files[@]}" | xargs -0 -n 20 clang-format --dry-run -Werror 2>&1 | sed -nE 's/^([^:]+):[0-9]+:.*error.*/\1/p' | sort -u)
if [ -n "$bad" ]; then
    echo "lint: not formatted (make format):"
    echo "$bad" | sed 's/^/  /'
    status=1
fi

cmake --preset release >/dev/null || exit 1
cmake --build --preset release >/dev/null || exit 1 # generated headers must be there
tidy=$(for file in "${files[@]}"; do
    case $file in *.c) grep -q "/$file\"" build/release/compile_commands.json && printf '%s\0' "$file" ;; esac
done | xargs -0 -r -n 1 -P "$(nproc)" clang-tidy -p build/release --quiet --extra-arg=-Wno-unknown-warning-option 2>/dev/null)
if printf '%s\n' "$tidy" | grep -qE "(warning|error):"; then
    printf '%s\n' "$tidy" | grep -E "(warning|error):" -A3 | sed "s|$PWD/||" | head -200
    status=1
fi
[ $status -eq 0 ] && echo "lint: clean (${#files[@]} files)"
exit $status
