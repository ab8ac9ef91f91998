# shellcheck shell=bash
# The processes of the demo: the local AWS, the GitHub stand-in and Greenroom, each in a session of
# its own so that Ctrl-C reaches this script alone, which then stops them in order. Source this file
# after setup.sh and ministack.sh.
#
# What always holds: one demo per user (a lock says so); what an earlier demo left running or lying
# about is cleared first; only processes whose ids are in $demo/*.pid are ever ended.

# Below /var/tmp and not below the checkout: as root, PostgreSQL and the steps run as other users,
# who have to reach it, and PostgreSQL's socket wants a short path.
demo=/var/tmp/greenroom-demo-$(id -u)
aws_dir=$tools/ministack
binaries=${CARGO_TARGET_DIR:-$repository_root/target}/debug
REPOSITORY=acme/workshop

demo_prepare() {
  mkdir -p "$demo"
  [ -O "$demo" ] || die "$demo belongs to another user; remove it and run this again"
  exec 9>"$demo/lock"
  flock -n 9 || die "another demo of yours runs already; end it first (Ctrl-C in its terminal)"
  demo_stop
  find "$demo" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
  chmod 755 "$demo"
}

demo_build() {
  say "Building Greenroom and the GitHub stand-in"
  with_progress "cargo build (some minutes the first time)" \
    cargo build --locked --manifest-path "$repository_root/Cargo.toml" -p greenroom -p greenroom-fakes
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The port if it is free, else any.
this_or_free_port() {
  if (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then free_port; else printf '%s\n' "$1"; fi
}

# demo_run NAME COMMAND…: in the background, its output in $demo/NAME.log, its id in $demo/NAME.pid.
demo_run() {
  local name=$1
  shift
  setsid "$@" >"$demo/$name.out" 2>"$demo/$name.log" </dev/null 9>&- &
  printf '%s\n' "$!" >"$demo/$name.pid"
}

# The id of a process of ours that lives (ids are used again, so its command line is looked at).
demo_pid() {
  local pid
  pid=$(cat "$demo/$1.pid" 2>/dev/null) && [ -n "$pid" ] || return 1
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q "$demo" || return 1
  printf '%s\n' "$pid"
}

# demo_wait NAME TITLE COMMAND…: until COMMAND succeeds, while process NAME lives, for two minutes.
demo_wait() {
  local name=$1 title=$2 started=$SECONDS
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "$(cat "$demo/$name.pid")" 2>/dev/null || [ $((SECONDS - started)) -gt 120 ]; then
      [ -t 1 ] && printf '\r\033[K'
      tail -n 20 "$demo/$name.log" >&2
      die "$title did not come up; its log is $demo/$name.log"
    fi
    if [ -t 1 ] && [ "$SECONDS" -gt "$started" ]; then
      printf '\r    %s … %ds ' "$title" $((SECONDS - started))
    fi
    sleep 0.1
  done
  [ -t 1 ] && printf '\r\033[K'
  return 0
}

demo_start_aws() {
  local port
  say "Starting the local AWS (ministack): TLS on, IAM enforced, three accounts"
  with_progress "installing it, the first time" ministack_install "$aws_dir"
  port=$(free_port)
  printf '%s\n' "$port" >"$demo/aws.port"
  ministack_start "$aws_dir" "$port" 9>&-
  with_progress "users, roles and policies of docs/iam" ministack_accounts "$aws_dir"
  # shellcheck disable=SC1090 # written just now
  source "$MINISTACK_ACCOUNTS"
  note "$MINISTACK_URL: 111111111111 development, 222222222222 staging, 333333333333 production"
}

demo_start_github() {
  say "Starting the GitHub stand-in"
  demo_github_token=ghp_$(openssl rand -hex 18)
  demo_run github "$binaries/greenroom-fakes" --dir "$demo/github" --token "$demo_github_token" \
    --app-key-file "$demo/app.pem"
  demo_wait github "the GitHub stand-in" grep -q '"url"' "$demo/github.out"
  github_url=$(demo_json "$demo/github.out" url)
  github_app_id=$(demo_json "$demo/github.out" app_id)
  note "$github_url: REST, git over http, signed webhooks"
}

demo_json() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"
}

# People who sign in through the stand-in's page: ada may everything, grace deploys, linus reads.
demo_people() {
  local person login right
  for person in ada:admin grace:write linus:read; do
    login=${person%:*} right=${person#*:}
    curl -fsS -X PUT "$github_url/_fakes/repos/$REPOSITORY/collaborators/$login" \
      -H 'content-type: application/json' -d "{\"right\":\"$right\"}" >/dev/null
  done
  curl -fsS "$github_url/_fakes/oauth" >"$demo/oauth.json"
  demo_sign_in=yes
}

# What a user would write for a real GitHub App; the AWS key is in the environment instead.
demo_settings() {
  local secret=$1
  (
    umask 077
    cat >"$demo/greenroom.toml" <<TOML
listen = "127.0.0.1:$board_port"
data_dir = "$demo/data"

[github]
api_url = "$github_url"
git_url = "$github_url"
app_id = $github_app_id
private_key_file = "$demo/app.pem"
webhook_secrets = ["$secret"]
TOML
    [ -z "${demo_sign_in-}" ] || cat >>"$demo/greenroom.toml" <<TOML

[login]
client_id = "$(demo_json "$demo/oauth.json" client_id)"
client_secret = "$(demo_json "$demo/oauth.json" client_secret)"
admins = ["ada"]
TOML
  )
}

demo_start_greenroom() {
  local secret
  say "Starting Greenroom, with a private PostgreSQL and one worker of two slots"
  secret=$(openssl rand -hex 24)
  board_port=$(this_or_free_port 8080)
  board=http://127.0.0.1:$board_port
  demo_settings "$secret"
  demo_run greenroom env -u AWS_PROFILE -u AWS_SESSION_TOKEN \
    AWS_ACCESS_KEY_ID="$GREENROOM_SERVER_ACCESS_KEY_ID" \
    AWS_SECRET_ACCESS_KEY="$GREENROOM_SERVER_SECRET_ACCESS_KEY" \
    AWS_ENDPOINT_URL="$MINISTACK_URL" AWS_CA_BUNDLE="$MINISTACK_CA" \
    AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true \
    "$binaries/greenroom" --config "$demo/greenroom.toml" serve
  demo_wait greenroom "greenroom serve" curl -fsS "$board/readyz"
  curl -fsS -X PUT "$github_url/_fakes/webhook" -H 'content-type: application/json' \
    -d "{\"url\":\"$board/webhooks/github\",\"secret\":\"$secret\"}" >/dev/null
  note "the board: $board   settings: $demo/greenroom.toml   log: $demo/greenroom.log"
}

# The program as a user calls it; the secrets that the app file names are in its environment.
greenroom() {
  DEV_ENDPOINT_API_KEY=$demo_secret-development STAGING_ENDPOINT_API_KEY=$demo_secret-staging \
    PROD_ENDPOINT_API_KEY=$demo_secret-production GREENROOM_LOG=warn \
    "$binaries/greenroom" --config "$demo/greenroom.toml" "$@"
}

demo_end() {
  local name=$1 pid waited
  pid=$(demo_pid "$name") || { rm -f "$demo/$name.pid"; return 0; }
  kill -TERM "$pid" 2>/dev/null || true
  for ((waited = 0; waited < 150; waited++)); do
    demo_pid "$name" >/dev/null || break
    sleep 0.1
  done
  if pid=$(demo_pid "$name"); then kill -KILL "$pid" 2>/dev/null || true; fi
  rm -f "$demo/$name.pid"
}

demo_stop() {
  demo_end greenroom
  demo_end github
  if [ -f "$demo/aws.port" ]; then
    ministack_stop "$aws_dir" "$(cat "$demo/aws.port")"
    rm -f "$demo/aws.port"
  fi
}
