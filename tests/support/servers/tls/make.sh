#!/bin/sh
# Makes the certificates anew. TEST ONLY: the keys are public, and worth nothing.
# Needs openssl 3. The key of the authority is thrown away.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/config" <<END
[ca]
default_ca = default
[default]
database = $work/database
new_certs_dir = $work
default_md = sha256
rand_serial = yes
policy = policy
[policy]
commonName = supplied
[req]
distinguished_name = subject
[subject]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[here]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
[elsewhere]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:elsewhere.invalid
END
: > "$work/database"

issue() { # file name, extensions, year it begins, year it ends, who signs
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config "$work/config" \
    -subj "/CN=TEST ONLY $1" -keyout "$work/$1.key" -out "$work/$1.request"
  if [ "$5" = self ]; then
    signer="-selfsign -keyfile $work/$1.key"
  else
    signer="-cert authority.pem -keyfile $work/authority.key"
  fi
  # shellcheck disable=SC2086
  openssl ca -batch -notext -config "$work/config" -extensions "$2" $signer \
    -startdate "${3}0101000000Z" -enddate "${4}0101000000Z" \
    -in "$work/$1.request" -out "$work/$1.certificate"
  {
    echo "TEST ONLY, and public: trust it nowhere. Made by make.sh."
    [ "$1" = authority ] || cat "$work/$1.key"
    cat "$work/$1.certificate"
  } > "$1.pem"
}
issue authority authority 2020 2120 self
issue localhost here 2020 2120 authority
issue elsewhere elsewhere 2020 2120 authority
issue expired here 2000 2001 authority
issue self_signed here 2020 2120 self
