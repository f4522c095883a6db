from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server import settings
from oauth_server.errors import OperatorError
from oauth_server.models import Algorithm

ISSUER = "issuer: https://auth.example.com\n"
PLAIN = "aliases (*) and tags (!) are not known here"


def write(directory: Path, text: str) -> Path:
    path = directory / "server.yaml"
    path.write_text(text, "utf-8")
    return path


def problems(directory: Path, text: str) -> list[str]:
    """Each problem, without the file's name, which all of them begin with."""
    path = write(directory, text)
    with pytest.raises(OperatorError) as refused:
        settings.load(path)
    start = f"{path}: "
    assert all(line.startswith(start) and "\n" not in line for line in refused.value.problems)
    return [line.removeprefix(start) for line in refused.value.problems]


def test_an_issuer_is_enough(tmp_path: Path) -> None:
    loaded = settings.load(write(tmp_path, ISSUER))
    assert loaded.issuer == "https://auth.example.com"
    assert loaded.lifetime == timedelta(minutes=10)
    assert loaded.scope_error_status == 403
    assert loaded.store.socket is None
    assert loaded.trusted_networks == ()
    assert loaded.keys_directory == "/etc/oauth2/keys"


def test_everything_can_be_set(tmp_path: Path) -> None:
    loaded = settings.load(
        write(
            tmp_path,
            ISSUER
            + """\
access_token_lifetime: 60
scope_error_status: 400
trusted_proxies: [10.0.0.0/8, "2001:db8::1"]
store: {url: "unix:///run/redis/redis.sock", username: oauth_server, password_file: /etc/pw}
keys_directory: /k
clients_file: /c
certificate: /p
certificate_key: /q
log_file: /l
""",
        )
    )
    assert loaded.lifetime == timedelta(minutes=1)
    assert loaded.scope_error_status == 400
    assert loaded.trusted_networks == (ip_network("10.0.0.0/8"), ip_network("2001:db8::1/128"))
    assert loaded.store.socket == Path("/run/redis/redis.sock")
    assert (loaded.store.username, loaded.store.password_file) == ("oauth_server", "/etc/pw")
    assert (loaded.clients_file, loaded.log_file) == ("/c", "/l")


def test_redis_may_be_on_another_host(tmp_path: Path) -> None:
    given = "username: u, password_file: /pw, ca_file: /ca, server_name: auth.example.com"
    for url, address in [
        ("rediss://10.0.0.3", ("10.0.0.3", 6379)),
        ("rediss://state.example.com:6380", ("state.example.com", 6380)),
        ("rediss://[2001:db8::3]:6379", ("2001:db8::3", 6379)),
    ]:
        loaded = settings.load(write(tmp_path, f'{ISSUER}store: {{url: "{url}", {given}}}\n'))
        assert (loaded.store.socket, loaded.store.address) == (None, address)


@pytest.mark.parametrize(
    ("store", "problem"),
    [
        ("url: redis://10.0.0.3:6379", "store.url: must be memory:, unix:// and"),
        ("url: rediss://u:pw@10.0.0.3", "store.url: must be memory:, unix:// and"),
        ("url: rediss://10.0.0.3:66000", "store.url: must be memory:, unix:// and"),
        ("url: rediss://10.0.0.3/0", "store.url: must be memory:, unix:// and"),
        ("url: rediss://10.0.0.3, ca_file: /ca", "store.username: is missing"),
        ("url: rediss://10.0.0.3, username: u, password_file: /p", "store.ca_file: is missing"),
        ("url: unix:///s, ca_file: /ca", "store.ca_file: has a meaning for rediss:// alone"),
    ],
)
def test_redis_on_another_host_is_verified_and_asks_for_a_password(
    tmp_path: Path, store: str, problem: str
) -> None:
    found = problems(tmp_path, f"{ISSUER}store: {{{store}}}\n")
    assert any(line.startswith(problem) for line in found), found


@pytest.mark.parametrize("seconds", [60, 86400])
def test_the_limits_of_a_lifetime_are_allowed(tmp_path: Path, seconds: int) -> None:
    path = write(tmp_path, ISSUER + f"access_token_lifetime: {seconds}\n")
    assert settings.load(path).lifetime == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must be an object"),
        ("- issuer", "must be an object"),
        ("{}", "issuer: is missing"),
        ("issuer: 5", "issuer: must be str"),
        (
            "issuer: http://auth.example.com",
            "issuer: must be https:// and a name in lower case or an IPv4 address, nothing more",
        ),
        (ISSUER + "isuer: x", "isuer: is not known; did you mean issuer?"),
        (ISSUER + "5: x", "line 2, column 1: a key must be text"),
        (ISSUER + "? [a, b]\n: c", "line 2, column 3: a key must be text"),
        (ISSUER + "? {a: b}\n: c", "line 2, column 3: a key must be text"),
        (ISSUER + '"x\\ty": 1', "'x\\ty': is not known"),
        (ISSUER + '"a\\nb": 1\n"a\\nb": 2', "line 3, column 1: 'a\\nb' is given twice"),
        (ISSUER + "access_token_lifetime: 59", "access_token_lifetime: must be int >= 60"),
        (ISSUER + "access_token_lifetime: 86401", "access_token_lifetime: must be int <= 86400"),
        (ISSUER + "access_token_lifetime: '600'", "access_token_lifetime: must be int"),
        (ISSUER + "access_token_lifetime: true", "access_token_lifetime: must be int"),
        (
            ISSUER + "scope_error_status: 401",
            "scope_error_status: is not one of the values that are known",
        ),
        (
            ISSUER + "trusted_proxies: [10.0.0.0/8, 10.0.0.1/8]",
            "trusted_proxies[1]: must be an address, or a network such as 10.0.0.0/8",
        ),
        (ISSUER + "log_file: log", "log_file: must be an absolute path"),
        (ISSUER + "store: memory", "store: must be an object"),
        (ISSUER + "store: {usernam: x}", "store.usernam: is not known; did you mean username?"),
        (
            ISSUER + "store: {url: 'redis://localhost'}",
            ("store.url: must be memory:, unix:// and the absolute path of Redis's socket, or "
            "rediss://HOST:PORT (redis:// would send the password in the clear)"),
        ),
        (
            ISSUER + "store: {url: 'unix://run/redis.sock'}",
            ("store.url: must be memory:, unix:// and the absolute path of Redis's socket, or "
            "rediss://HOST:PORT (redis:// would send the password in the clear)"),
        ),
        (
            ISSUER + "store: {url: 'unix:///redis.sock', username: x}",
            "store: username and password_file belong together",
        ),
        (
            ISSUER + "store: {username: x, password_file: /x}",
            "store.username: has no meaning for the memory store",
        ),
        (ISSUER + ISSUER, "line 2, column 1: issuer is given twice"),
        (ISSUER + "store: {url: a, url: b}", "line 2, column 17: url is given twice"),
        ("issuer: [", "line 1, column 10: expected the node content, but found '<stream end>'"),
        ("issuer: !!python/object/apply:os.system [id]", f"line 1, column 9: {PLAIN}"),
        ("issuer: !!map [a]", f"line 1, column 9: {PLAIN}"),
        ("issuer: !!timestamp x", f"line 1, column 9: {PLAIN}"),
        ("issuer: !!bool x", f"line 1, column 9: {PLAIN}"),
        ("a: &a [*a]", f"line 1, column 8: {PLAIN}"),
        ("issuer: \x01", "is not YAML"),
        ("issuer: 2026-99-99", "is not YAML"),
        ("issuer: 1" + ":1" * 500 + ".0", "is not YAML"),
        ("issuer: " + "9" * 5000, "is not YAML"),
        ("? 0x" + "f" * 5000 + "\n: x", "line 1, column 3: a key must be text"),
        ("[" * 60_000, "is not YAML"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place_and_rule(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in problems(tmp_path, text)


def test_a_file_larger_than_settings_ever_are_is_not_even_parsed(tmp_path: Path) -> None:
    """The parser would need minutes and gigabytes for what fits on a disk."""
    room = 64 * 1024 - len(ISSUER) - 1
    assert settings.load(write(tmp_path, ISSUER + "#" * room + "\n")).issuer
    assert problems(tmp_path, ISSUER + "#" * (room + 1) + "\n") == ["is larger than 64 KiB"]


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path, "isuer: x\nlog_file: x\nstore: {url: x, usr: y}\ntrusted_proxies: 1\n"
    )
    assert [line.partition(":")[0] for line in found] == [
        "isuer", "issuer", "trusted_proxies", "store.usr", "store.url", "log_file"
    ]  # fmt: skip


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"none\.yaml: No such file or directory"):
        settings.load(tmp_path / "none.yaml")
    with pytest.raises(OperatorError, match=r": is not a regular file"):
        settings.load(tmp_path)


def test_bytes_that_are_not_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "server.yaml"
    path.write_bytes(b"issuer: \xff")
    with pytest.raises(OperatorError, match=r"is not UTF-8 \(byte 8\)"):
        settings.load(path)


def test_a_value_is_never_repeated(tmp_path: Path) -> None:
    """An operator may have pasted a secret into the wrong place."""
    text = (
        "issuer: hunter2\nstore: {url: hunter2, username: [hunter2]}\nscope_error_status: hunter2"
    )
    assert "hunter2" not in "".join(problems(tmp_path, text))


@given(st.text(max_size=60))
def test_text_of_any_kind_is_settings_or_an_operators_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, "utf-8", "replace")
    with pytest.raises(OperatorError):
        settings.load(path)


RANGES = {
    "access_token_lifetime": (60, 86400),
    "refresh_token_lifetime": (60, 31536000),
    "code_timeout": (1, 600),
    "clock_leeway": (0, 300),
    "refresh_reuse_grace": (0, 60),
    "session_lifetime": (60, 604800),
}


@pytest.mark.parametrize(
    ("name", "least", "most"), [(name, *ends) for name, ends in RANGES.items()]
)
def test_a_time_has_both_ends(tmp_path: Path, name: str, least: int, most: int) -> None:
    for value in (least, most):
        assert getattr(settings.load(write(tmp_path, f"{ISSUER}{name}: {value}\n")), name) == value
    for wrong in (least - 1, most + 1, f"{least}.5", "1e3", "true", "'60'", ".nan", ".inf"):
        (problem,) = problems(tmp_path, f"{ISSUER}{name}: {wrong}\n")
        assert problem.startswith(f"{name}: must be int")


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_tokens_are_signed_as_the_operator_says(tmp_path: Path, algorithm: Algorithm) -> None:
    text = f"{ISSUER}signing: {{algorithm: {algorithm.value}}}\n"
    assert settings.load(write(tmp_path, text)).signing.algorithm is algorithm


@pytest.mark.parametrize("algorithm", ["none", "HS256", "rs256", "ES512", "Ed25519"])
def test_other_algorithms_are_not_there_to_choose(tmp_path: Path, algorithm: str) -> None:
    (problem,) = problems(tmp_path, f"{ISSUER}signing: {{algorithm: {algorithm}}}\n")
    assert problem == "signing.algorithm: is not one of the values that are known"


def test_keys_have_the_documented_timings(tmp_path: Path) -> None:
    timing = settings.load(write(tmp_path, ISSUER)).timing
    assert timing.rotation == timedelta(days=90)
    assert timing.publication == timedelta(hours=12)
    assert timing.grace() == timedelta(hours=12, minutes=10, seconds=30)


@pytest.mark.parametrize("grace", [0, 43829])
def test_a_grace_that_is_shorter_than_what_follows_is_refused(tmp_path: Path, grace: int) -> None:
    (problem,) = problems(tmp_path, f"{ISSUER}signing: {{grace: {grace}}}\n")
    assert problem.startswith(
        "signing.grace: must be at least 43830, which follows from access_token_lifetime, "
    )


def test_a_longer_grace_counts(tmp_path: Path) -> None:
    for grace in (43830, 100_000):
        loaded = settings.load(write(tmp_path, f"{ISSUER}signing: {{grace: {grace}}}\n"))
        assert loaded.timing.grace() == timedelta(seconds=grace)


def test_a_rotation_is_not_shorter_than_the_time_that_a_key_must_be_known(tmp_path: Path) -> None:
    text = ISSUER + "signing: {rotation_days: 2}\njwks_cache_max: {}\n"
    settings.load(write(tmp_path, text.replace("{}", "172800")))
    (problem,) = problems(tmp_path, text.replace("{}", "172801"))
    assert problem.startswith("signing.rotation_days: must not be shorter than jwks_cache_max")


@pytest.mark.parametrize(
    "text",
    ["signing: {rotation_days: 0}", "signing: {rotation_days: 3651}", "jwks_cache_max: -1",
     "jwks_cache_max: 604801", "state_directory: here"],
)  # fmt: skip
def test_settings_of_keys_have_bounds(tmp_path: Path, text: str) -> None:
    assert len(problems(tmp_path, ISSUER + text + "\n")) == 1
