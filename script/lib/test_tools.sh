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
  need_from_npm "$tools/webhook-examples" @octokit/webhooks-examples "$WEBHOOK_EXAMPLES_VERSION" \
    "GitHub's documented payloads"
  export GREENROOM_TEST_WEBHOOK_EXAMPLES="$tools/webhook-examples/node_modules/@octokit/webhooks-examples"
}

need_axe() {
  need_from_npm "$tools/axe" axe-core "$AXE_VERSION" "it reads the pages for who cannot see them"
  export GREENROOM_TEST_AXE="$tools/axe/node_modules/axe-core/axe.min.js"
}

# need_from_npm DIR PACKAGE VERSION WHY
need_from_npm() {
  # npm notes there, at the end, what it installed: one that was interrupted begins again
  ! grep -s -A 1 -F "\"node_modules/$2\": {" "$1/node_modules/.package-lock.json" |
    grep -qF "\"version\": \"$3\"" || return 0
  say "Fetching $2 $3 from npm: $4"
  with_progress "npm install $2" npm install --prefix "$1" --no-audit --no-fund "$2@$3"
}
