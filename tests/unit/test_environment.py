"""What processes get of our environment."""

from __future__ import annotations

from windlass.processes.environment import inherited, installing

NEEDED = ("PATH", "HOME", "LANG", "TZ", "https_proxy", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
          "NODE_EXTRA_CA_CERTS", "PIP_INDEX_URL", "PIP_CERT", "UV_INDEX_URL", "npm_config_registry")  # fmt: skip
SECRET = ("WINDLASS_CONN_PG", "AIRFLOW_CONN_PG", "AWS_SECRET_ACCESS_KEY", "MY_TOKEN", "CLIENT_CERT",
          "UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD", "TWINE_PASSWORD", "WINDLASS_RUN_ID")  # fmt: skip
FOR_PACKAGES = ("UV_INDEX_ACME_PASSWORD", "NPM_TOKEN", "npm_config__auth", "SSH_AUTH_SOCK")
EVERYTHING = dict.fromkeys((*NEEDED, *SECRET, *FOR_PACKAGES), "x")


def test_what_we_start_gets_what_it_needs_and_no_secret() -> None:
    assert set(inherited(EVERYTHING)) == {*NEEDED, "no_proxy"}


def test_an_installer_gets_at_private_packages_too_and_at_nothing_else() -> None:
    assert set(installing(EVERYTHING)) == {*NEEDED, "no_proxy", *FOR_PACKAGES}


def test_no_proxy_is_asked_for_what_listens_on_this_machine() -> None:
    assert "no_proxy" not in inherited({"PATH": "/bin"})
    given = inherited({"http_proxy": "http://proxy:1", "NO_PROXY": "example.com"})
    assert given["no_proxy"] == given["NO_PROXY"] == "example.com,localhost,127.0.0.1"
