#!/bin/sh
# Hands a mail that came back to the account service: let your mail server pipe every mail to
# bounce+…@ your domain into it. Only a delivery status notification (RFC 3464) is handed over; an
# automatic answer, which goes to the same address, is none.
# Usage: bounced.sh [ADDRESS] <MAIL   ADDRESS is what the mail was sent to; mail servers set
#        ORIGINAL_RECIPIENT (Postfix) or RECIPIENT.
# SEATKEEPER_URL is the service's, SEATKEEPER_TOKEN_FILE holds a vendor token of it.
# Ends with 75 (try again later) if the service does not answer.
set -eu

address=${1:-${ORIGINAL_RECIPIENT:-$RECIPIENT}}
# Only the machine-readable part speaks: what the lost mail itself says comes after it.
action=$(tr -d '\r' | tr '[:upper:]' '[:lower:]' | sed -n '/^content-type:[[:space:]]*message\/delivery-status/,/^action:/s/^action:[[:space:]]*\([a-z]*\).*/\1/p' | head -n 1)
case $action in failed | delayed | delivered | relayed | expanded) ;; *) exit 0 ;; esac
address=$(printf '%s' "$address" | sed 's/[\\"]/\\&/g')

status=$(printf 'header = "Authorization: Bearer %s"\n' "$(cat "$SEATKEEPER_TOKEN_FILE")" |
  curl --config - --silent --output /dev/null --write-out '%{http_code}' --max-time 30 \
    --json "{\"return_path\": \"$address\", \"action\": \"$action\"}" \
    "$SEATKEEPER_URL/v1/bounces") || exit 75
# 400: the address is no return path of this service.
case $status in 204 | 400) ;; *) exit 75 ;; esac
