"""SSH public keys, one of each type, made for the tests: their private halves are gone."""

from __future__ import annotations

import base64


def blob(*fields: bytes) -> bytes:
    """The fields, each behind its length, as RFC 4251 has them."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def line(kind: str, *fields: bytes) -> str:
    return f"{kind} {base64.b64encode(blob(kind.encode(), *fields)).decode()}"


def fields(key: str) -> list[bytes]:
    """The fields of a key, the type too."""
    rest, found = base64.b64decode(key.split()[1]), []
    while rest:
        size = int.from_bytes(rest[:4], "big")
        found.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    return found


DSA = (
    "ssh-dss "
    "AAAAB3NzaC1kc3MAAACBAPgZTYrsE7CmYhir8QtZdobmF/jo6xa/FhO9t+3XrASSG0b0/ILV+yollVogAdy4/lQI2Y/yAGpoqovy"
    "/JmGTg+7Wk16CkHam2torm4GkMj6oKZ9iQL7jIFf0zV7t99U37hjeIeaRsbc5BMvf+iFDwB4dnt4VAoTu0Q2yyDaa0vzAAAAFQCf"
    "wpJwJ0rFwqvpMzNyOpezMO9lYQAAAIAMmkc7tJRK24RkbYj99244W+8/doiE5XNT5C0OjlgSHEcjvH34HrD9fSLteaa/yLFEKTGn"
    "IIcP56HPihCL9M40/o8sbOkufjhO6OtnB1JnacOvLjwpq/jy9UXT1mI15HI2OL8UHTpDAUhmF5f+5q+TLtYc53sk9ZLbNZ8YX9z8"
    "mQAAAIBq3qohd7igssnT7g7n808m89SBKyiLN3E4Yt2t1n4UepcKltRQ6v+sTJX1f+zTEhtjdjPhTkUcM0yBkQsGcknnxgoQtoj0"
    "3zZF1EM6FTK5A95Qr5XmubiJX7klvkcvhlQlkMnOPw4XWqZVDHqnisLPYnAAAsY+JYVKj9odvRXQ6g=="
)
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFcEgUf4otovXpO+vDWOX1U9KBlQlqOigvmjXmTo+ZoB"
NISTP256 = (
    "ecdsa-sha2-nistp256 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBCmoC2OQvTJdSyw7p3Yy/oAXsZ/X5bY8sRdUysmBfTwL2ezz"
    "DMiCLs2nujsn83a1M8M4K3s0y2IFAltKgfW23V0="
)
NISTP384 = (
    "ecdsa-sha2-nistp384 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBJJTtroahLtWFMVf6S6r6rJ0Itkf/HUNfLXCiHi73KnFRg6D"
    "PVpnFr0g2ENN7uFlmhHlKfsRSDGLNSnClfH6rLoOM2OmjuH3VSQMD/mLIPJPgD5fW0P6ke4nM5M3Z7cl2w=="
)
NISTP521 = (
    "ecdsa-sha2-nistp521 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAHVbOaDfJaa8GWbZ+O7CYIpcQd+E9U1aLiW6GaaM6dWnBw1"
    "ZTCU9vNHQVT6O4DPSuVq/vkgOnf4RKpoyx8y8DjR6AAHW0HZCSEdX8grzH0cjR4ci6GD484qJJidOd9cYWk2JaF3rceuQs5CFeOs"
    "YUNTfSESxpbzOGekcB/2Ce8QV9yJRw=="
)
RSA_1024 = (
    "ssh-rsa "
    "AAAAB3NzaC1yc2EAAAADAQABAAAAgQDcBC2uO3MbD/pSMm+Nn4m7Gjue8oVdm+UgAI3XgH45L2G76XK+qf6Ww6m3FaUN2CnzWTbP"
    "sYhqZ7DShzNCF3tcHTPxC3Osgh1hwT0NsV1z4CeVU5dkLJyYWfrru6um+uP2+XaajVfnTtOn+dv0tFZfSMGdQbTY1koQt21vko06"
    "XQ=="
)
RSA_2048 = (
    "ssh-rsa "
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQC2v7tAOcZx/39hVDunYXkUhTZ91PkSoa+znHBgHz6UT03CECMX/+d2nNUrkOUEj9Q3Y7o0"
    "utbTcY3ysxsak8CQggTZqPpFj3Rl9zCDPfK2MqI1xRmKVn0A6KMY688DDSfCiezRAN9LOpXuaRL6A6/efDa5QQnjeIFu+MeqTbJQ"
    "psOswU+fy/KOSW1BQ3nYDL4/q3aSxaD5WVIznSnuavhy3CQNdb14CVoDDuA1rEUQcM9Pe1A9y3BDW3Ko6KyqCR1+Z2h5f4ZHi6Ew"
    "HvTB4NW0ofAOPAbgDZNd6GXPSKSlgDjPwhyo3LZX9gXOr3TfiqI8Z10zrN6r0HoHxkSd1nn5"
)

SK_ED25519 = line("sk-ssh-ed25519@openssh.com", fields(ED25519)[1], b"ssh:")
SK_NISTP256 = line("sk-ecdsa-sha2-nistp256@openssh.com", *fields(NISTP256)[1:], b"ssh:")

GOOD = {
    "RSA of 1024 bits": RSA_1024,
    "RSA of 2048 bits": RSA_2048,
    "ECDSA P-256": NISTP256,
    "ECDSA P-384": NISTP384,
    "ECDSA P-521": NISTP521,
    "Ed25519": ED25519,
    "Ed25519 of a token": SK_ED25519,
    "ECDSA of a token": SK_NISTP256,
}
