# shellcheck shell=bash
# What the tests want beside the program: other people's tools, fetched once, below target/tools.
# Source this file after setup.sh, ministack.sh and debian.sh.
#
#   need_test_tools        fetches what is missing, and exports where it is as GREENROOM_TEST_*
#   need_package_tools     cargo-deb and a Debian to try the package out on; wants root
#
# What always holds: each does nothing the second time but say where things are. So one call may fetch
# beside the compiler, in a process of its own, and another tell the script.

WEBHOOK_EXAMPLES_VERSION=7.6.1
AXE_VERSION=4.14.1

need_test_tools() {
  need_node
  need_promtool
  need_schemathesis
  need_webhook_examples
  need_axe
  export GREENROOM_TEST_PROMTOOL=$PROMTOOL GREENROOM_TEST_SCHEMATHESIS=$SCHEMATHESIS
  ministack_install "$tools/ministack"
}

need_package_tools() {
  need_cargo_deb
  need_debian
}

need_webhook_examples() {
  local home="$tools/webhook-examples"
  export GREENROOM_TEST_WEBHOOK_EXAMPLES="$home/node_modules/@octokit/webhooks-examples"
  [ ! -d "$GREENROOM_TEST_WEBHOOK_EXAMPLES" ] || return 0
  say "Fetching GitHub's documented webhook payloads from npm"
  with_progress "npm install @octokit/webhooks-examples" npm install --prefix "$home" \
    --no-audit --no-fund "@octokit/webhooks-examples@$WEBHOOK_EXAMPLES_VERSION"
}

need_axe() {
  local home="$tools/axe"
  export GREENROOM_TEST_AXE="$home/node_modules/axe-core/axe.min.js"
  ! grep -qs "\"version\": \"$AXE_VERSION\"" "$home/node_modules/axe-core/package.json" || return 0
  say "Fetching axe-core $AXE_VERSION from npm: it reads the pages for who cannot see them"
  with_progress "npm install axe-core" npm install --prefix "$home" --no-audit --no-fund \
    "axe-core@$AXE_VERSION"
}
