#!/usr/bin/env bash
# Sends a signed request to an OCI API with nothing but bash, openssl and curl.
#   oci-call.sh CONFIG PROFILE METHOD URL [BODY-FILE]
set -euo pipefail

config=$1 profile=$2 method=$3 url=$4 body=${5:-/dev/null}

setting() {
  awk -F= -v profile="[$profile]" -v key="$1" '
    /^\[/ { inside = ($0 == profile) }
    inside && $1 == key { print substr($0, length(key) + 2) }' "$config"
}

rest=${url#*://}
host=${rest%%/*}
target=/${rest#*/}
verb=$(tr '[:upper:]' '[:lower:]' <<<"$method")
date=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')
names='date (request-target) host'
text="date: $date
(request-target): $verb $target
host: $host"
headers=(-H "date: $date")

case $method in
POST | PUT | PATCH)
  digest=$(openssl dgst -sha256 -binary "$body" | base64 -w0)
  length=$(wc -c <"$body" | tr -d ' ')
  type=application/json
  names="$names x-content-sha256 content-type content-length"
  text="$text
x-content-sha256: $digest
content-type: $type
content-length: $length"
  headers+=(-H "x-content-sha256: $digest" -H "content-type: $type" -H "content-length: $length" --data-binary "@$body")
  ;;
esac

key_id="$(setting tenancy)/$(setting user)/$(setting fingerprint)"
signature=$(printf %s "$text" | openssl dgst -sha256 -sign "$(setting key_file)" | base64 -w0)
authorization="Signature version=\"1\",keyId=\"$key_id\",algorithm=\"rsa-sha256\",headers=\"$names\",signature=\"$signature\""

curl -sS --fail-with-body -X "$method" -H "authorization: $authorization" "${headers[@]}" "$url"
