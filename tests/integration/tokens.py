"""Access tokens as an issuer makes them, and as an attacker does."""

import base64
import itertools
import json
import os
import re
import time
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "https://auth.example.com"
AUDIENCE = "https://api.example.com"
SCOPE = "proxy:stream"
RENEWAL = "application/x-challenge-response"
CHALLENGE = (
    b'event:challenge\ndata:{"method":"POST","headers":'
    b'{"content-type":"application/x-challenge-response"}}\n\n'
)

_CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_SIZES = {"P-256": 32, "P-384": 48, "P-521": 66}
_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw
_numbers = itertools.count()


def b64(data: bytes | str | dict) -> str:
    """base64url without padding, of JSON if it is a dict."""
    if isinstance(data, dict):
        data = json.dumps(data, separators=(",", ":"))
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64_decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Key:
    """A signing key: its JWK is public, what it signs is a token."""

    def __init__(self, private: Any, kid: str | None, alg: str):
        self.private, self.kid, self.alg = private, kid, alg

    def jwk(self, **members: Any) -> dict:
        """What an issuer publishes; a member that is None is left out."""
        public = self.private.public_key()
        numbers = None if self.alg == "EdDSA" else public.public_numbers()
        if numbers is None:
            own = {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes(*_RAW))}
        elif isinstance(numbers, rsa.RSAPublicNumbers):
            size = (numbers.n.bit_length() + 7) // 8
            own = {"kty": "RSA", "n": b64(numbers.n.to_bytes(size, "big")), "e": "AQAB"}
        else:
            curve = {"256": "P-256", "384": "P-384", "521": "P-521"}[
                str(self.private.curve.key_size)
            ]
            x, y = (n.to_bytes(_SIZES[curve], "big") for n in (numbers.x, numbers.y))
            own = {"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)}
        members = {"kid": self.kid, "use": "sig", "alg": self.alg} | members
        return own | {name: value for name, value in members.items() if value is not None}

    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def signature(self, signed: bytes, alg: str = "") -> bytes:
        alg = alg or self.alg
        if alg == "EdDSA":
            return self.private.sign(signed)
        digest = _HASHES[alg[2:]]
        if alg.startswith("RS"):
            return self.private.sign(signed, padding.PKCS1v15(), digest)
        if alg.startswith("PS"):
            pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return self.private.sign(signed, pss, digest)
        r, s = decode_dss_signature(self.private.sign(signed, ec.ECDSA(digest)))
        size = (self.private.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def token(self, payload: dict | str | bytes, header: dict | str | bytes) -> str:
        """Whatever header and payload, well signed."""
        signed = f"{b64(header)}.{b64(payload)}"
        return _minted(f"{signed}.{b64(self.signature(signed.encode()))}")

    def mint(self, ttl: float = 60, header: dict | None = None, **claims: Any) -> str:
        """A good token that lives for ttl seconds; a claim or header that is None is left out."""
        now = time.time()
        own = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "alice",
            "scope": SCOPE,
            "iat": int(now),
            "exp": now + ttl,
            "jti": str(next(_numbers)),
        }
        first = {"typ": "JWT", "alg": self.alg, "kid": self.kid} | (header or {})
        return self.token(without_none(own | claims), without_none(first))


def without_none(members: dict) -> dict:
    return {name: value for name, value in members.items() if value is not None}


@cache
def rsa_key(kid: str | None = "rsa", bits: int = 2048, alg: str = "RS256") -> Key:
    """The same one for the same arguments: making it takes time."""
    return Key(rsa.generate_private_key(public_exponent=65537, key_size=bits), kid, alg)


@cache
def ec_key(kid: str | None = "ec", curve: str = "P-256", alg: str = "ES256") -> Key:
    return Key(ec.generate_private_key(_CURVES[curve]), kid, alg)


@cache
def ed25519_key(kid: str | None = "ed") -> Key:
    return Key(ed25519.Ed25519PrivateKey.generate(), kid, "EdDSA")


def key_of_file(path: Path, kid: str, alg: str) -> Key:
    return Key(serialization.load_pem_private_key(path.read_bytes(), None), kid, alg)


def claims(token: str) -> dict:
    return json.loads(b64_decode(token.split(".")[1]))


def exp(token: str) -> float:
    """When it ends, on the clock of time.monotonic() as Event.at is."""
    return claims(token)["exp"] - time.time() + time.monotonic()


class Jwks:
    """The file that a responder has its keys from."""

    def __init__(self, path: Path, *keys: Key):
        self.path = path
        self.write(*keys)

    def write(self, *keys: Key | dict) -> None:
        """In one step, as an issuer's download should."""
        new = self.path.with_suffix(".new")
        new.write_text(jwks(*keys))
        os.replace(new, self.path)

    def options(self, *others: str, scope: str | None = SCOPE) -> list[str]:
        options = ["--jwks", str(self.path), "--issuer", ISSUER, "--audience", AUDIENCE]
        return [*options, *(["--scope", scope] if scope else []), *others]


def jwks(*keys: Key | dict) -> str:
    return json.dumps({"keys": [k.jwk() if isinstance(k, Key) else k for k in keys]})


# How a token is carried


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def in_url(token: str) -> str:
    return f"/events?access_token={token}"


def send_renewal(responder: Any, new: str | None, selector: str | None = None) -> Any:
    headers = {"Content-Type": RENEWAL} | (bearer(new) if new is not None else {})
    target = in_url(selector) if selector is not None else "/events"
    return responder.send("POST", target, headers)


def renew(responder: Any, new: str | None, selector: str | None = None) -> int:
    """The status of the answer to a challenge."""
    return send_renewal(responder, new, selector).wait_end().status


# Where a token must not be

_signatures: set[str] = set()
_PREFIX = 20


def _minted(token: str) -> str:
    _signatures.add(token.rpartition(".")[2][:_PREFIX])
    return token


def leaked(text: str) -> set[str]:
    """The beginnings of signatures, of any token made in this run, that are in a text."""
    words = re.findall(r"[A-Za-z0-9_-]{20,}", re.sub("%2[Ee]", ".", text))
    return {word[:_PREFIX] for word in words} & _signatures

