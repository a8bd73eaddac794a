#!/bin/bash
# What can be made again is bounded by a limit and removed by prune; what is in use stays.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
rm "$SBX_HOME/cache/starts"
mkdir "$SBX_HOME/cache/starts"
states() { find "$SBX_HOME/cache/starts" -maxdepth 1 -mindepth 1 -type d -not -name '.*' | wc -l; }

"$SBX" create shell --name one --memory 600m -q >"$scratch/out" 2>"$scratch/err"
like "the first of a size says what takes time" "$(cat "$scratch/err")" "is made now, once"
is "it is kept" "$(states)" 1
"$SBX" stop one
"$SBX" create shell --name two --memory 700m -q >/dev/null 2>&1
is "another size has its own" "$(states)" 2
"$SBX" stop two
SBX_CACHE_LIMIT=1m "$SBX" create shell --name three --memory 800m -q >/dev/null 2>&1
is "a limit removes what was used longest ago" "$(states)" 1
"$SBX" rm -f three
is "a sandbox whose start state is gone still continues" "$("$SBX" exec one echo there)" there
"$SBX" stop one
like "prune says how much" "$("$SBX" prune)" "^Removed "
is "the one that was used last stays" "$(states)" 1
"$SBX" prune --all >/dev/null
is "with --all it goes too" "$(states)" 0
is "sandboxes stay" "$("$SBX" ls -q)" "one
two"
is "... and continue" "$("$SBX" exec two echo there)" there
mkdir -p "$SBX_HOME/cache/starts/0123"
is "what is no start state does not matter" "$("$SBX" run --rm --name four shell --memory 600m -- echo fine 2>/dev/null)" fine
done_testing
