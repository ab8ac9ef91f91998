# shellcheck shell=bash
# Runs one command beside the script that sources this: downloads, while cargo compiles.
#
#   begin NAME COMMAND…   starts it; its output goes into a file in $scratch
#   joined                waits for it and shows its output; ends the script if it failed
#   end_begun             ends it, and whatever it started; for the script's trap
#
# What always holds: one at a time; it leads a process group, so that nothing of it is left behind.

begun='' begun_name=''
begin() {
  begun_name=$1
  shift
  note "$begun_name goes on beside what follows; what it says is shown when it is waited for"
  set -m
  "$@" >"$scratch/begun.log" 2>&1 </dev/null &
  begun=$!
  set +m
}

joined() {
  local status=0
  say "Waiting for: $begun_name"
  wait "$begun" || status=$?
  begun=
  cat "$scratch/begun.log"
  [ "$status" -eq 0 ] || die "$begun_name failed"
}

end_begun() {
  [ -z "$begun" ] || kill -- "-$begun" 2>/dev/null || true
}
