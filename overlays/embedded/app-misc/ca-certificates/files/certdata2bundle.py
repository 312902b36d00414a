# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License
"""Turns Mozilla's certdata.txt (standard input) into a PEM bundle of the roots trusted for servers (standard output).

The argument is the release's date, YYYYMMDD. A root that Mozilla distrusts for certificates issued after some date
stays in as long as certificates issued before that date could still be valid (398 days) on the release's date.
"""

import base64
import datetime
import re
import sys

LONGEST_VALIDITY = datetime.timedelta(days=398)


def parse_objects(lines):
    """Yields each object of certdata.txt as a dict of attribute to bytes (octal) or str (other types)."""
    attributes = {}
    lines = iter(lines)
    for line in lines:
        if line.startswith("#") or not line.strip():
            continue
        name, _, rest = line.strip().partition(" ")
        kind, _, value = rest.partition(" ")
        if name == "CKA_CLASS" and attributes:
            yield attributes
            attributes = {}
        if kind == "MULTILINE_OCTAL":
            digits = ""
            for line in lines:
                if line.strip() == "END":
                    break
                digits += line.strip()
            value = bytes(int(octet, 8) for octet in re.findall(r"\\([0-7]{3})", digits))
        attributes[name] = value
    if attributes:
        yield attributes


def is_distrusted(cert, release):
    after = cert.get("CKA_NSS_SERVER_DISTRUST_AFTER")
    if not isinstance(after, bytes):
        return False
    date = datetime.datetime.strptime(after.decode("ascii"), "%y%m%d%H%M%SZ")
    return date + LONGEST_VALIDITY < release


def pem(der):
    text = base64.b64encode(der).decode("ascii")
    body = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


def main():
    release = datetime.datetime.strptime(sys.argv[1], "%Y%m%d")
    certs, trusted = [], set()
    for obj in parse_objects(sys.stdin):
        key = (obj.get("CKA_ISSUER"), obj.get("CKA_SERIAL_NUMBER"))
        if obj.get("CKA_CLASS") == "CKO_CERTIFICATE":
            certs.append((key, obj))
        elif obj.get("CKA_TRUST_SERVER_AUTH") == "CKT_NSS_TRUSTED_DELEGATOR":
            trusted.add(key)

    bundle = [
        (c["CKA_LABEL"].strip('"'), c["CKA_VALUE"]) for k, c in certs if k in trusted and not is_distrusted(c, release)
    ]
    if len(bundle) < 50:
        sys.exit(f"only {len(bundle)} roots found: has certdata.txt's format changed?")
    for label, der in bundle:
        print(f"# {label}\n{pem(der)}")


main()
