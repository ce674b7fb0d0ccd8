# Sourced by the scripts: how they speak. Progress and errors go to stderr; colour only on a terminal.
if [ -t 2 ]; then seam_bold=$'\033[1m' seam_red=$'\033[31m' seam_plain=$'\033[0m'; else seam_bold='' seam_red='' seam_plain=''; fi

say()  { printf '%s▸ %s%s\n' "$seam_bold" "$*" "$seam_plain" >&2; }
fail() { printf '%s✗ %s%s\n  %s\n' "$seam_red" "$1" "$seam_plain" "$2" >&2; exit 1; } # what happened, what to do
