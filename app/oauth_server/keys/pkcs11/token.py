"""The one place that calls the PKCS#11 library: in a process of its own, in one thread.

The library initialises a module without locking, and some modules crash with threads or after a
fork. Here a vendor's code can bring down nothing but this process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, TokenFlag
from pkcs11.util.ec import encode_named_curve_parameters

from oauth_server.keys.pkcs11 import failures
from oauth_server.keys.pkcs11.failures import TokenError
from oauth_server.keys.pkcs11.uri import LABEL

Sign = Callable[[bytes], bytes]

_RSA_BITS = 4096
_PSS = (Mechanism.SHA256, pkcs11.MGF.SHA256, 32)  # RFC 7518 §3.5
# RFC 8017 §9.2: what stands before a SHA-256 digest in a PKCS #1 v1.5 signature.
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
# As an object identifier (RFC 8410 §3), and as the name that PKCS #11 v3.0 §2.3.5 allows beside it.
_ED25519 = (bytes.fromhex("06032b6570"), b"\x13\x0cedwards25519")
_NEVER_LEAVES = {
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
}
_PIN_REFUSED = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange)
_GONE = (
    pkcs11.NoSuchToken,
    pkcs11.TokenNotPresent,
    pkcs11.TokenNotRecognised,
    pkcs11.SlotIDInvalid,
    pkcs11.DeviceRemoved,
)
_UNSUPPORTED = (
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
    pkcs11.KeySizeRange,
    pkcs11.DomainParamsInvalid,
    pkcs11.AttributeValueInvalid,
    pkcs11.FunctionNotSupported,
)


@contextmanager
def told() -> Iterator[None]:
    """The library's errors as ours. They hold no PIN, and most hold nothing but their name."""
    try:
        yield
    except _PIN_REFUSED:
        raise TokenError(failures.PIN_REFUSED, "the token refused the PIN") from None
    except pkcs11.PinLocked:
        raise TokenError(failures.PIN_REFUSED, "the token has locked its PIN") from None
    except _GONE as error:
        raise TokenError(failures.GONE, f"the token is not there ({_name(error)})") from None
    except _UNSUPPORTED as error:
        raise TokenError(
            failures.UNSUPPORTED, f"the token cannot do this ({_name(error)})"
        ) from None
    except pkcs11.PKCS11Error as error:
        raise TokenError(failures.ERROR, f"the token failed ({_name(error)})") from None


def _name(error: Exception) -> str:
    return type(error).__name__


class Token:
    """A session on the token of that label, logged in."""

    def __init__(self, module: str, label: str, pin: str, *, write: bool) -> None:
        """Raises TokenError. A PIN is not tried where one more error would lock it."""
        try:
            library = pkcs11.lib(module)
        except pkcs11.PKCS11Error as error:
            said = str(error) or _name(error)
            raise TokenError(failures.GONE, f"the module cannot be loaded: {said}") from None
        with told():
            found = list(library.get_tokens(token_label=label))
            if len(found) != 1:
                many = "there is none" if not found else "there are several"
                raise TokenError(failures.GONE, f"of tokens labelled {label!r} {many}")
            (token,) = found
            _check_attempts(token.flags)
            self._mechanisms = token.slot.get_mechanisms()
            self._session = token.open(rw=write, user_pin=pin)

    def signing(self, key_id: bytes, algorithm: str) -> Sign:
        """A function that signs as RFC 7518 §3 and RFC 8037 §3.1 say. Raises TokenError."""
        with told():
            try:
                key: Any = self._session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=key_id)
            except pkcs11.NoSuchKey:
                raise TokenError(failures.KEY_MISSING, "the key is not on the token") from None
        if algorithm == "RS256" and Mechanism.SHA256_RSA_PKCS in self._mechanisms:
            return lambda content: key.sign(content, mechanism=Mechanism.SHA256_RSA_PKCS)
        if algorithm == "RS256":
            return lambda content: key.sign(
                _DIGEST_INFO + _digest(content), mechanism=Mechanism.RSA_PKCS
            )
        if algorithm == "PS256" and Mechanism.SHA256_RSA_PKCS_PSS in self._mechanisms:
            return lambda content: key.sign(
                content, mechanism=Mechanism.SHA256_RSA_PKCS_PSS, mechanism_param=_PSS
            )
        if algorithm == "PS256":
            return lambda content: key.sign(
                _digest(content), mechanism=Mechanism.RSA_PKCS_PSS, mechanism_param=_PSS
            )
        if algorithm == "ES256":
            return lambda content: key.sign(_digest(content), mechanism=Mechanism.ECDSA)
        return lambda content: key.sign(content, mechanism=Mechanism.EDDSA)

    def generate(self, key_id: bytes, algorithm: str) -> dict[str, str]:
        """The public half of a new key, which signs and cannot leave. Raises TokenError."""
        try:
            return self._made(key_id, algorithm)
        except TokenError:
            self.destroy(key_id)  # a part of it may be there
            raise

    def _made(self, key_id: bytes, algorithm: str) -> dict[str, str]:
        with told():
            public, private = self._generate(key_id, algorithm)
        kept = all(private[name] == value for name, value in _NEVER_LEAVES.items())
        if not (kept and private[Attribute.NEVER_EXTRACTABLE] and private[Attribute.LOCAL]):
            raise TokenError(failures.UNSUPPORTED, "the token makes keys that can be taken out")
        with told():
            self.signing(key_id, algorithm)(b"")
            return _public(public)

    def _generate(self, key_id: bytes, algorithm: str) -> tuple[Any, Any]:
        options: dict[str, Any] = {
            "id": key_id,
            "label": LABEL,
            "store": True,
            "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
            "private_template": _NEVER_LEAVES,
        }
        if algorithm in {"RS256", "PS256"}:
            return self._session.generate_keypair(KeyType.RSA, _RSA_BITS, **options)
        if algorithm == "ES256":
            return self._on_curve(KeyType.EC, encode_named_curve_parameters("secp256r1"), options)
        if Mechanism.EC_EDWARDS_KEY_PAIR_GEN not in self._mechanisms:
            raise pkcs11.MechanismInvalid
        options["mechanism"] = Mechanism.EC_EDWARDS_KEY_PAIR_GEN
        by_number, by_name = _ED25519
        try:
            return self._on_curve(KeyType.EC_EDWARDS, by_number, options)
        except pkcs11.PKCS11Error:
            return self._on_curve(KeyType.EC_EDWARDS, by_name, options)

    def _on_curve(self, kind: KeyType, curve: bytes, options: dict[str, Any]) -> tuple[Any, Any]:
        parameters = self._session.create_domain_parameters(
            kind, {Attribute.EC_PARAMS: curve}, local=True
        )
        return parameters.generate_keypair(**options)

    def public(self, key_id: bytes) -> dict[str, str]:
        """The public half of a key that is there. Raises TokenError."""
        with told():
            try:
                return _public(
                    self._session.get_key(object_class=ObjectClass.PUBLIC_KEY, id=key_id)
                )
            except pkcs11.NoSuchKey:
                raise TokenError(failures.KEY_MISSING, "the key is not on the token") from None

    def destroy(self, key_id: bytes) -> None:
        """Both halves, of which none may be there. Raises TokenError."""
        with told():
            # The private half last: as long as it is there, somebody has to come back.
            for kind in (ObjectClass.PUBLIC_KEY, ObjectClass.PRIVATE_KEY):
                halves = self._session.get_objects({Attribute.CLASS: kind, Attribute.ID: key_id})
                for half in list(halves):
                    half.destroy()


def _check_attempts(flags: TokenFlag) -> None:
    if flags & TokenFlag.USER_PIN_LOCKED:
        raise TokenError(failures.PIN_REFUSED, "the token has locked its PIN")
    if flags & TokenFlag.USER_PIN_FINAL_TRY:
        raise TokenError(
            failures.PIN_REFUSED,
            "one more wrong PIN locks the token: log in with the right one once by its own tool",
        )


def _public(key: Any) -> dict[str, str]:
    """Numbers and points in hex, as the token has them."""
    if key.key_type is KeyType.RSA:
        return {
            "modulus": key[Attribute.MODULUS].hex(),
            "exponent": key[Attribute.PUBLIC_EXPONENT].hex(),
        }
    return {"point": key[Attribute.EC_POINT].hex()}


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
