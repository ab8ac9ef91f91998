# shellcheck shell=bash
# A local AWS for tests and the demo: ministack with TLS and with IAM checks on. Source this file.
#
#   ministack_install DIR         a Python environment under DIR, pinned; does nothing when there
#   ministack_start DIR PORT      starts it on https://127.0.0.1:PORT (0: any free port), waits
#                                 until it answers; sets MINISTACK_{URL,CA,PORT,PIDFILE,LOG,ACCOUNTS}
#   ministack_accounts DIR        users, roles and policies, once per start; writes and prints the
#                                 file $MINISTACK_ACCOUNTS with the server's access key:
#                                 GREENROOM_SERVER_{ACCESS_KEY_ID,SECRET_ACCESS_KEY}
#   ministack_stop DIR [PORT]     stops what ministack_start started in DIR
#   ministack_test_env DIR        all of the above on a free port, and exports what the tests want:
#                                 GREENROOM_TEST_AWS_{ENDPOINT,CA_BUNDLE,ACCESS_KEY_ID,
#                                 SECRET_ACCESS_KEY,EXTERNAL_ID}; end with
#                                 trap 'ministack_stop DIR "$MINISTACK_PORT"' EXIT
#
# What always holds: it listens on 127.0.0.1 only and on that one port, several may run at once,
# and everything it writes is under DIR. Its state is in memory: a restart begins empty.

MINISTACK_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MINISTACK_REPOSITORY=$(cd "$MINISTACK_LIB/../.." && pwd)
MINISTACK_EXTERNAL_ID=acme-greenroom
MINISTACK_REQUIREMENTS="ministack==1.5.33 aws-sam-translator==1.115.0 boto3==1.43.106"

# A process group of its own, so that stopping reaches the Lambda runtimes. In TLS mode ministack
# would also take port 443 (no switch for that) and a broker's port: several run at once.
MINISTACK_MAIN='
import os
if os.getpgrp() != os.getpid():
    os.setpgid(0, 0)
import ministack.app as app
app._port_is_bindable = lambda *_: False
app.main()
'

ministack_say() { printf 'ministack: %s\n' "$*" >&2; }

ministack_install() {
  local dir=$1 stamp="$1/venv/installed"
  if [[ -f $stamp && $(<"$stamp") == "$MINISTACK_REQUIREMENTS" ]]; then
    return 0
  fi
  if ! command -v python3 >/dev/null; then
    ministack_say "python3 is missing. Install it: apt-get install python3 python3-venv"
    return 1
  fi
  if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    ministack_say "python3 cannot make environments. Install: apt-get install python3-venv"
    return 1
  fi
  if ! command -v openssl >/dev/null; then
    ministack_say "openssl is missing. Install it: apt-get install openssl"
    return 1
  fi
  ministack_say "installing the local AWS (once, under half a minute) ..."
  mkdir -p "$dir" || return 1
  rm -rf "$dir/venv"
  python3 -m venv "$dir/venv" || return 1
  # shellcheck disable=SC2086 # one word per requirement
  if ! "$dir/venv/bin/pip" install --quiet --disable-pip-version-check $MINISTACK_REQUIREMENTS; then
    ministack_say "pip could not install $MINISTACK_REQUIREMENTS; is PyPI reachable?"
    return 1
  fi
  printf '%s\n' "$MINISTACK_REQUIREMENTS" >"$stamp"
}

# An authority and a server certificate signed by it: rustls takes no certificate that is both.
ministack_certificates() {
  local dir=$1
  if [[ -f $dir/tls/cert.pem ]] && openssl x509 -checkend 86400 -noout -in "$dir/tls/cert.pem" >/dev/null; then
    return 0
  fi
  mkdir -p "$dir/tls" || return 1
  (
    cd "$dir/tls" && umask 077 || exit 1
    {
      openssl req -x509 -newkey rsa:2048 -nodes -days 365 -keyout ca-key.pem -out ca.pem \
        -subj '/CN=Greenroom local AWS authority' \
        -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' &&
        openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=127.0.0.1 &&
        printf '%s\n' 'basicConstraints=CA:FALSE' 'extendedKeyUsage=serverAuth' \
          'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:*.localhost' >extensions &&
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial \
          -days 365 -extfile extensions -out cert.pem
    } 2>openssl.log || exit 1
    chmod 644 ca.pem
  ) || { ministack_say "openssl could not make certificates, see $dir/tls/openssl.log"; return 1; }
}

ministack_start() {
  local dir port=$2
  mkdir -p "$1" || return 1
  dir=$(cd "$1" && pwd)
  ministack_certificates "$dir" || return 1
  if [[ $port == 0 ]]; then
    port=$("$dir/venv/bin/python" -c \
      'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])') || return 1
  fi
  MINISTACK_PORT=$port
  MINISTACK_URL=https://127.0.0.1:$port
  MINISTACK_CA=$dir/tls/ca.pem
  MINISTACK_PIDFILE=$dir/ministack-$port.pid
  MINISTACK_LOG=$dir/ministack-$port.log
  MINISTACK_ACCOUNTS=$dir/accounts-$port.env
  if ministack_healthy "$dir"; then
    if ministack_pid "$MINISTACK_PIDFILE" >/dev/null; then
      return 0
    fi
    ministack_say "another process already serves $MINISTACK_URL; choose another port"
    return 1
  fi
  rm -rf "$MINISTACK_ACCOUNTS" "$dir/ministack-$port.tmp"
  mkdir -p "$dir/ministack-$port.tmp" || return 1
  # An AWS_ACCESS_KEY_ID in its environment would become a root key.
  env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN -u AWS_PROFILE \
    BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" AUTH=true USE_SSL=1 \
    MINISTACK_SSL_CERT="$dir/tls/cert.pem" MINISTACK_SSL_KEY="$dir/tls/key.pem" \
    IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 TMPDIR="$dir/ministack-$port.tmp" NODE_EXTRA_CA_CERTS="$MINISTACK_CA" \
    STATE_DIR="$dir/state-$port" S3_DATA_DIR="$dir/s3-$port" \
    "$dir/venv/bin/python" -c "$MINISTACK_MAIN" \
    >"$MINISTACK_LOG" 2>&1 </dev/null &
  printf '%s\n' "$!" >"$MINISTACK_PIDFILE"
  local waited
  for ((waited = 0; waited < 300; waited++)); do
    if ministack_healthy "$dir"; then
      return 0
    fi
    if ! ministack_pid "$MINISTACK_PIDFILE" >/dev/null; then
      break
    fi
    sleep 0.2
  done
  ministack_say "it did not come up on $MINISTACK_URL; the end of $MINISTACK_LOG:"
  tail -n 20 "$MINISTACK_LOG" >&2
  ministack_stop "$dir" "$port"
  return 1
}

ministack_healthy() {
  "$1/venv/bin/python" - "$MINISTACK_URL/_ministack/health" "$MINISTACK_CA" 2>/dev/null <<'PYTHON'
import ssl, sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=3, context=ssl.create_default_context(cafile=sys.argv[2])).read()
PYTHON
}

# The pid in the file, if that process lives and is still ours (pids are used again).
ministack_pid() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [[ -n $pid ]] || return 1
  if [[ -r /proc/$pid/cmdline ]]; then
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q 'ministack' || return 1
  else
    kill -0 "$pid" 2>/dev/null || return 1
  fi
  printf '%s\n' "$pid"
}

ministack_stop() {
  local dir=$1 port=${2:-} pidfile pid waited
  for pidfile in "$dir"/ministack-*.pid; do
    if [[ -n $port && $pidfile != "$dir/ministack-$port.pid" ]]; then
      continue
    fi
    if pid=$(ministack_pid "$pidfile"); then
      # It leads a process group of its own, with the Lambda runtimes it started.
      kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
      for ((waited = 0; waited < 25; waited++)); do
        ministack_pid "$pidfile" >/dev/null || break
        sleep 0.2
      done
      kill -KILL -- "-$pid" 2>/dev/null || true
    fi
    rm -rf "$pidfile" "${pidfile/%.pid/.tmp}"
  done
  return 0
}

ministack_accounts() {
  local dir
  if [[ -f $MINISTACK_ACCOUNTS ]]; then
    cat "$MINISTACK_ACCOUNTS"
    return 0
  fi
  dir=$(cd "$1" && pwd) || return 1
  "$dir/venv/bin/python" "$MINISTACK_LIB/ministack_accounts.py" \
    --endpoint "$MINISTACK_URL" --ca "$MINISTACK_CA" --iam "$MINISTACK_REPOSITORY/docs/iam" \
    --external-id "$MINISTACK_EXTERNAL_ID" >"$MINISTACK_ACCOUNTS.new" || return 1
  mv "$MINISTACK_ACCOUNTS.new" "$MINISTACK_ACCOUNTS"
  cat "$MINISTACK_ACCOUNTS"
}

ministack_test_env() {
  local dir=$1
  ministack_install "$dir" && ministack_start "$dir" 0 && ministack_accounts "$dir" >/dev/null || return 1
  # shellcheck disable=SC1091 # written just now
  source "$MINISTACK_ACCOUNTS"
  export GREENROOM_TEST_AWS_ENDPOINT=$MINISTACK_URL
  export GREENROOM_TEST_AWS_CA_BUNDLE=$MINISTACK_CA
  export GREENROOM_TEST_AWS_ACCESS_KEY_ID=$GREENROOM_SERVER_ACCESS_KEY_ID
  export GREENROOM_TEST_AWS_SECRET_ACCESS_KEY=$GREENROOM_SERVER_SECRET_ACCESS_KEY
  export GREENROOM_TEST_AWS_EXTERNAL_ID=$MINISTACK_EXTERNAL_ID
}
