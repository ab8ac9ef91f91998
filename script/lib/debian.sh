# shellcheck shell=bash
# A Debian (or Ubuntu) of this machine's own release in a directory, for the test that installs the
# package. Source this file after setup.sh.
#
#   need_debian         makes one, unless it is there, with what the package wants and the tests look
#                       with; exports GREENROOM_TEST_DEBIAN, the directory
#   package_for_tests   makes the package, of the program as the tests have it built
#
# What always holds: it is whole or not there (made beside its place and renamed), and made again when
# other packages are asked for or this machine's release changes; nothing is mounted, nothing runs in
# it. From the mirror that this machine's apt has, through the proxy that it has. Wants root, about
# 500 MB below target/tools, and one or two minutes.

need_debian() {
  local home="$tools/debian" release wants wanted url list proxy
  release=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
  wants=$(package_wants)
  # shellcheck disable=SC2086 # names of packages
  set -- $wants curl iproute2 nginx openssl sudo systemd
  wanted=$(printf '%s\n' "$release" "$(dpkg --print-architecture)" "$@" | sort | tr '\n' ' ')
  export GREENROOM_TEST_DEBIAN="$home/root"
  [ "$(cat "$home/made" 2>/dev/null)" != "$wanted" ] || return 0

  command -v debootstrap >/dev/null || apt_install debootstrap
  url=$(debian_mirror "$release")
  [ -n "$url" ] || die "apt knows no mirror of $release: the package cannot be tried out on it"
  proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
  list=$(IFS=,; printf '%s' "$*")
  say "Making a $release in $home/root, to try the package out in (from $url)"
  rm -rf "$home"
  mkdir -p "$home"
  with_progress "debootstrap" env ${proxy:+http_proxy="$proxy"} DEBIAN_FRONTEND=noninteractive \
    debootstrap --variant=minbase --components="$(debian_components)" --include="$list" \
    "$release" "$home/root.new" "$url"
  rm -rf "$home/root.new"/var/cache/apt/archives/*.deb "$home/root.new"/var/lib/apt/lists/*
  mv "$home/root.new" "$home/root"
  printf '%s\n' "$wanted" >"$home/made"
}

# The address that apt fetches this release from.
debian_mirror() {
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk -v release="$1" '$1 == release { print $2; exit }'
}

# bubblewrap and nginx are in Debian's main, and in Ubuntu's main and universe.
debian_components() {
  case "$(. /etc/os-release && printf '%s' "$ID")" in ubuntu) echo main,universe ;; *) echo main ;; esac
}

# What the package depends on and recommends, as crates/greenroom/Cargo.toml says, without versions.
# Not node: Debian's own may be too old, and the service starts without. What the program links is in
# every Debian.
package_wants() {
  cargo metadata --no-deps --locked --format-version 1 --manifest-path "$repository_root/Cargo.toml" |
    python3 -c '
import json, re, sys
packages = json.load(sys.stdin)["packages"]
deb = next(p["metadata"]["deb"] for p in packages if p["name"] == "greenroom")
for wanted in re.split(r",\s*", deb["depends"] + ", " + deb["recommends"]):
    name = wanted.split()[0]
    if name not in ("$auto", "nodejs"):
        print(name)
'
}

# package_for_tests DIR: the packages that the tests install, into DIR and by GREENROOM_TEST_DEB and
# GREENROOM_TEST_DEB_OLDER. Of the program that the other tests run, built before: the package of this
# version, and one that calls itself older.
package_for_tests() {
  local built=${CARGO_TARGET_DIR:-$repository_root/target}/debug/greenroom
  with_progress "script/release, as an older version" "$repository_root/script/release" \
    --built "$built" --fast --deb-version 0.0.1-1 --out "$1/older"
  with_progress "script/release" "$repository_root/script/release" --built "$built" --fast --out "$1/newer"
  GREENROOM_TEST_DEB_OLDER=$(printf '%s\n' "$1"/older/*.deb)
  GREENROOM_TEST_DEB=$(printf '%s\n' "$1"/newer/*.deb)
  export GREENROOM_TEST_DEB GREENROOM_TEST_DEB_OLDER
}
