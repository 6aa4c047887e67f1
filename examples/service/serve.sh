#!/usr/bin/env bash
# An account service with one account of every profile on this machine, until Ctrl-C.
# Usage: serve.sh BINARY [ADDRESS]
set -euo pipefail
BINARY=$(realpath "${1:?the seatkeeper binary}")
ADDRESS=${2:-127.0.0.1:8080}
SEED=$(realpath "$(dirname "${BASH_SOURCE[0]}")/seed.yaml.example")
DATA=${DATA:-.demo/service}
mkdir -p "$DATA"

say() { printf '%s\n' "$*" >&2; }
say "accounts: northwind (nitropack), droplets (digitalocean), licences (portal), shelves (catalogue), club (generic)"
say "sign in:  http://$ADDRESS/signin as nora@example.com, dora@example.com, lena@example.com, cara@example.com or olga@example.com"
say "password: correct horse battery"
say "tokens:   demo-token-of-northwind, …-droplets, …-licences, …-shelves, …-the-club; of the vendor: demo-token-of-the-vendor"
say "mails:    $DATA/spool; what to try is in README.md, \"A service to try\""
exec "$BINARY" server --listen "$ADDRESS" --data-dir "$DATA" --seed "$SEED" --address-file "$DATA/address"
