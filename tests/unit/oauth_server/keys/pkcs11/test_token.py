"""What is decided about a token before it is asked for anything."""

from __future__ import annotations

import pkcs11
import pytest
from pkcs11 import TokenFlag

from oauth_server.keys.pkcs11 import failures, token
from oauth_server.keys.pkcs11.failures import TokenError


@pytest.mark.parametrize("flag", [TokenFlag.USER_PIN_LOCKED, TokenFlag.USER_PIN_FINAL_TRY])
def test_no_pin_is_tried_where_one_more_error_would_lock_the_token(flag: TokenFlag) -> None:
    with pytest.raises(TokenError) as refused:
        token._check_attempts(TokenFlag.LOGIN_REQUIRED | flag)
    assert refused.value.reason == failures.PIN_REFUSED


def test_a_pin_is_tried_where_somebody_has_mistyped_it() -> None:
    token._check_attempts(TokenFlag.LOGIN_REQUIRED | TokenFlag.USER_PIN_COUNT_LOW)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (pkcs11.PinIncorrect, failures.PIN_REFUSED),
        (pkcs11.PinLocked, failures.PIN_REFUSED),
        (pkcs11.DeviceRemoved, failures.GONE),
        (pkcs11.TokenNotPresent, failures.GONE),
        (pkcs11.MechanismInvalid, failures.UNSUPPORTED),
        (pkcs11.SessionHandleInvalid, failures.ERROR),
        (pkcs11.GeneralError, failures.ERROR),
    ],
)
def test_each_error_of_a_module_is_one_word_for_the_log(
    error: type[pkcs11.PKCS11Error], reason: str
) -> None:
    with pytest.raises(TokenError) as told, token.told():
        raise error("4711")
    assert told.value.reason == reason
    assert "4711" not in str(told.value)
