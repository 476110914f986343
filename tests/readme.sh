# What README.md tells its reader to type, for scripts that do it, which source this file.
# shellcheck shell=bash

# The Nth block of commands below a heading of README.md, up to the next heading.
block() {
    local text
    text=$(awk -v heading="$1" -v wanted="$2" '
        /^```/ { inside = !inside; bash = inside && /bash/; if (bash && here) n++; next }
        !inside && /^#+ / { title = $0; sub(/^#+ /, "", title); here = (title == heading); n = 0 }
        bash && here && n == wanted' README.md)
    [[ $text ]] || die "README.md has no block $2 below \"$1\""
    printf '%s\n' "$text"
}
