#!/usr/bin/env bash
# A mail server (Exim) for tests, on a free port of 127.0.0.1: STARTTLS and a login are required,
# and every mail ends as a file. It keeps all it needs in a folder of its own; /etc is not touched.
# Needs root to start, and gives it up.
# Usage: server.sh find: prints the program, or fails.
#        server.sh keep: keeps one server in a temporary folder. Each line of stdin is a command:
#                        start, or stop (as in a crash). Each is answered by one line: port and
#                        folder, stopped, or error. At the end of stdin the server and its folder
#                        are gone.
# The folder holds mail/new (one file a mail), log/main and password (of the user seats). What is
# sent to gone@ comes back to its return path; what comes to bounce+…@ is piped into the file bounced.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
deadline=30 # seconds until the server has to be ready
user=Debian-exim
server= # process that listens

say() { printf 'mail server: %s\n' "$*" >&2; }

find_program() {
  local program
  for program in exim4 /usr/sbin/exim4; do
    command -v "$program" && return 0
  done
  return 1
}

free_port() {
  local port
  while :; do
    port=$((12000 + RANDOM % 8000)) # below the ports that outgoing connections get
    (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

configure() {
  cat >"$dir/exim.conf" <<END
primary_hostname = mail.test
keep_environment =
local_interfaces = 127.0.0.1
daemon_smtp_ports = $port
spool_directory = $dir/spool
log_file_path = $dir/log/%s
pid_file_path = $dir/pid
log_selector = +smtp_protocol_error +smtp_syntax_error +tls_cipher
host_lookup =
rfc1413_query_timeout = 0s
deliver_drop_privilege = true
tls_advertise_hosts = *
tls_certificate = $dir/server.pem
tls_privatekey = $dir/server.key
auth_advertise_hosts = \${if eq{\$tls_in_cipher}{}{}{*}}
acl_smtp_mail = login
acl_smtp_rcpt = address

begin acl
login:
  deny    message = sign in first
          !authenticated = *
  accept

address:
  deny    message = no such mailbox
          local_parts = nobody
  accept

begin routers
gone:
  driver = redirect
  local_parts = gone
  allow_fail
  data = :fail: nobody lives here any more

came_back:
  driver = accept
  local_parts = bounce
  local_part_suffix = +*
  transport = bounced

everything:
  driver = accept
  transport = folder

begin transports
bounced:
  driver = pipe
  command = $dir/bounced
  temp_errors = 75
  user = $user

folder:
  driver = appendfile
  directory = $dir/mail
  maildir_format
  create_directory
  envelope_to_add
  return_path_add
  user = $user

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{\$auth2}{seats}}{eq{\$auth3}{$password}}}}
  server_set_id = \$auth2
END
}

prepare() {
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077 && echo "$password" >"$dir/password")
  mkdir "$dir/spool" "$dir/mail" "$dir/log"
  cp "$here/../it/tls/server.pem" "$here/../it/tls/server.key" "$dir"
  chmod 755 "$dir"
  chown -R "$user" "$dir/spool" "$dir/mail" "$dir/log" "$dir/server.key"
}

await() {
  local end=$((SECONDS + deadline))
  until (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    ((SECONDS < end)) || return 1
    kill -0 "$server" 2>/dev/null || return 1
    sleep 0.05
  done
}

start() {
  local tries
  [[ -n $kept_port ]] || prepare || return 1
  # The first start looks for a port; the later ones keep it.
  for ((tries = 0; tries < 5; tries++)); do
    [[ -n $kept_port ]] || { port=$(free_port) && configure; }
    # A group of its own: a stop ends the sessions too. What was taken is delivered after a start.
    setsid "$program" -C "$dir/exim.conf" -bdf -q2s </dev/null >>"$dir/output" 2>&1 &
    server=$!
    if await; then
      kept_port=$port
      return 0
    fi
    stop
  done
  return 1
}

stop() {
  [[ -n $server ]] || return 0
  kill -s KILL -- "-$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}

clean_up() {
  trap '' HUP INT TERM
  stop
  rm -rf "$dir"
}

keep() {
  local command
  dir=$(mktemp -d "${TMPDIR:-/tmp}/seatkeeper-mail.XXXXXX")
  kept_port=
  trap clean_up EXIT
  trap '' PIPE # who asked may be gone before the answer
  trap 'exit 1' HUP INT TERM
  cd "$dir"
  while read -r command; do
    if [[ $command == stop ]]; then
      stop
      echo stopped
    elif start; then
      echo "$port $dir"
    else
      tail -n 20 "$dir"/log/* "$dir/output" >&2
      echo error
    fi
  done
}

case ${1:-} in
  find) find_program ;;
  keep)
    program=$(find_program) || {
      say 'error: there is no exim4'
      say 'hint: tests/prepare.sh mail'
      exit 1
    }
    [[ $EUID -eq 0 ]] || {
      say 'error: only root may run Exim with a configuration of its own'
      exit 1
    }
    keep
    ;;
  *) printf 'usage: %s find|keep\n' "$0" >&2; exit 2 ;;
esac
