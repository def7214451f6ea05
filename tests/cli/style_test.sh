#!/usr/bin/env bash
# Every C++ file is formatted as .clang-format says.   FOLDER
cd "$1" || exit 1
command -v clang-format >/dev/null || { echo "skipped: clang-format is not installed"; exit 77; }
git rev-parse --git-dir >/dev/null 2>&1 || { echo "skipped: not a git checkout"; exit 77; }
git ls-files '*.h' '*.cpp' | xargs clang-format --dry-run -Werror
