"""Where certificates, and the secrets beside them, come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roles.hostdata.certificates import AcmeData, LocalCaData
from tests.unit.roles.hostdata.inventory import PASSPHRASE, VALID, acme, faults, key_from, validated


def test_a_path_may_begin_with_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    data = validated(
        {**VALID, "certificates": {"mode": "local_ca", "directory": "~/ca", **PASSPHRASE}}
    )
    assert isinstance(data.certificates, LocalCaData)
    assert data.certificates.directory == Path("/home/ada/ca")


def test_acme_needs_no_more_than_the_agreement() -> None:
    data = validated(acme()).certificates
    assert isinstance(data, AcmeData)
    assert data.directory_url == "https://acme-v02.api.letsencrypt.org/directory"
    assert isinstance(
        validated(acme(directory_url="https://10.0.0.1:14000/dir")).certificates, AcmeData
    )


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(
            {**VALID, "certificates": {"directory": "/srv/ca"}},
            "certificates: its mode must be local_ca, files or acme",
            id="no-mode",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "certbot"}},
            "certificates: its mode must be local_ca, files or acme",
            id="unknown-mode",
        ),
        pytest.param(
            acme(terms_agreed=False), "certificates.terms_agreed: must be True", id="no-agreement"
        ),
        pytest.param(
            acme(directory_url="http://acme.example.org/dir"),
            "certificates.directory_url: must be the https:// URL of an ACME directory, without a "
            "user, query or fragment",
            id="acme-without-tls",
        ),
        pytest.param(
            acme(email="--help@example.org"),
            "certificates.email: must be an e-mail address",
            id="an-address-that-is-an-option",
        ),
        pytest.param(
            {**acme(), "oauth_server": {"issuer": "https://192.0.2.7"}},
            "certificates: acme needs an issuer with a public name, for which http-01 can be asked "
            "(RFC 8555 §8.3)",
            id="acme-for-an-address",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "local_ca", "directory": "a\0b", **PASSPHRASE}},
            "certificates.directory: must be a path without NUL or broken characters",
            id="nul-in-a-path",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "local_ca", "directory": "", **PASSPHRASE}},
            "certificates.directory: must be a path, neither empty nor the working directory "
            "itself",
            id="no-directory-named",
        ),
        pytest.param(
            key_from(file="~nosuchuser/key"),
            "certificates.private_key.file: must begin with the ~ of a user of this machine, or "
            "none",
            id="home-of-nobody",
        ),
        pytest.param(
            key_from(file="a\ud800"),
            "certificates.private_key.file: must be a path without NUL or broken characters",
            id="half-a-character",
        ),
        pytest.param(
            key_from(command=[]),
            "certificates.private_key.command: must not be empty",
            id="no-command",
        ),
        pytest.param(
            key_from(command=[""]),
            "certificates.private_key.command: must begin with a program's name",
            id="no-program",
        ),
        pytest.param(
            key_from(command=["pass", "a\0b"]),
            "certificates.private_key.command[1]: must be text without NUL or broken characters",
            id="nul-in-an-argument",
        ),
        *(
            pytest.param(
                key_from(env=name),
                "certificates.private_key.env: must be a variable's name: not empty, and without "
                "an equals sign",
                id=f"variable-{name}",
            )
            for name in ("", "A=B")
        ),
        pytest.param(
            key_from(env="A\0"),
            "certificates.private_key.env: must be text without NUL or broken characters",
            id="nul-in-a-variable",
        ),
    ],
)
def test_each_fault_has_one_line(data: dict[str, Any], line: str) -> None:
    assert faults(data) == [f"web-1: {line}"]
