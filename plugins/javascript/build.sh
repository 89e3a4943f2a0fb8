#!/usr/bin/env bash
# Builds javascript.wasm, which is committed so that Hookmill builds without npm. Needs Node, npm and a C compiler, on
# Linux. The build is reproducible: --check compares the committed file with a new build.
set -euo pipefail
cd "$(dirname "$0")"

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

npm install --silent --no-package-lock --no-audit --no-fund
"${CC:-cc}" -shared -fPIC -o "$made/still.so" still.c
# Optimized for size, since every host compiles it at its first start.
LD_PRELOAD="$made/still.so" node_modules/.bin/componentize-qjs --wit ../../wit/1.1.0 --js src/component.js \
    --module-root .. --sync --stub-wasi --opt-size -o "$made/javascript.wasm"

if [ "${1-}" = --check ]; then
    cmp "$made/javascript.wasm" javascript.wasm
else
    cp "$made/javascript.wasm" javascript.wasm
    echo "built javascript.wasm; next: cargo components javascript"
fi
