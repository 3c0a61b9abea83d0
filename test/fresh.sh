#!/usr/bin/env bash
# Does what README asks of a newcomer: `ONCE=1 make run`, then `make test`, on a fresh clone of HEAD, with a home and
# caches (XDG, Go, npm) that are empty. Prints how long each took and ends with 1 if one failed. Settings of Go and npm
# that lie in the home directory stay in force. KEEP=1 keeps the folder, in the place of the one that was kept before.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d "${TMPDIR:-/tmp}/m2m-fresh.XXXXXX")
kept=${TMPDIR:-/tmp}/m2m-fresh-kept

discard() {
  [ -e "$1" ] || return 0
  # Go makes what it downloads read-only.
  chmod -R u+w "$1"
  rm -rf "$1"
}

finish() {
  if [ -n "${KEEP:-}" ]; then
    discard "$kept"
    mv "$folder" "$kept"
    echo "kept in $kept"
  else
    discard "$folder"
  fi
}
trap finish EXIT
trap 'exit 130' INT TERM

command -v go >/dev/null && export GOENV="$(go env GOENV)"
export NPM_CONFIG_USERCONFIG="$(npm config get userconfig)"
unset KUBEBUILDER_ASSETS CLUSTER CONTROL_PLANE M2M_TEST_KUBECONFIG NODE_TESTS JEST
export HOME=$folder/home XDG_CACHE_HOME=$folder/cache NPM_CONFIG_CACHE=$folder/npm
export GOPATH=$folder/go GOMODCACHE=$folder/go/mod GOCACHE=$folder/go-build
mkdir -p "$HOME" "$XDG_CACHE_HOME"

commit=$(git rev-parse HEAD)
git clone --quiet --no-hardlinks . "$folder/clone"
cd "$folder/clone"
git checkout --quiet --detach "$commit"

times=()
failed=0

# timed COMMAND...: runs it for an hour at most and notes how long it took.
timed() {
  local begin=$SECONDS result=ok
  echo "=== $*"
  timeout --kill-after=30s 60m env "$@" || result=FAILED
  [ "$result" = ok ] || failed=1
  times+=("$(printf '%-16s %2d min %02d s  %s' "${*/ONCE=1 /}" $(((SECONDS - begin) / 60)) $(((SECONDS - begin) % 60)) "$result")")
}

timed ONCE=1 make run
timed make test

echo "=== ${commit:0:12} with empty caches, $(getconf _NPROCESSORS_ONLN) cores"
printf '%s\n' "${times[@]}"
printf '%-16s %2d min %02d s\n' total $((SECONDS / 60)) $((SECONDS % 60))
exit "$failed"
