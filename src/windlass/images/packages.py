"""Where the installers of a build find packages: what this machine's pip, uv and npm are told, handed to BuildKit as
secrets, so that it is in no layer, in no label and in no history of an image.

pip and uv get variables, whatever file said it: uv does not read pip.conf. Of each file only that is taken which says
where packages are and how one is let in; paths of this machine would mean nothing in an image.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["SECRETS", "secrets_of"]

SECRETS = {"packages": "/run/secrets/packages", "npmrc": "/root/.npmrc", "netrc": "/root/.netrc"}
"""The secrets that a build may get, and where a Dockerfile of ours mounts them. The first holds variables for a shell."""

_VARIABLES = re.compile(
    r"PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST)|UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|INSECURE_HOST)"
    r"|UV_INDEX_\w+_(USERNAME|PASSWORD)|NPM_TOKEN|NODE_AUTH_TOKEN|(NPM_CONFIG|npm_config)_(REGISTRY|registry)"
)
_NPM = re.compile(r"\s*(registry|@[^\s:=]+:registry|//\S+:\w+|_auth\w*|always-auth|strict-ssl)\s*=")


def secrets_of(environ: Mapping[str, str]) -> dict[str, str]:
    """The content of each secret of which this machine has something."""
    home = Path(environ.get("HOME", "/nonexistent"))
    variables = {**_of_pip(environ, home), **_of_uv(environ, home)}
    variables |= {name: value for name, value in environ.items() if _VARIABLES.fullmatch(name)}
    npmrc = _text(Path(environ.get("NPM_CONFIG_USERCONFIG", home / ".npmrc"))).splitlines()
    found = {
        "packages": "".join(f"export {n}={shlex.quote(v)}\n" for n, v in sorted(_for_uv(variables).items())),
        "npmrc": "".join(f"{line}\n" for line in npmrc if _NPM.match(line)),
        "netrc": _text(Path(environ.get("NETRC", home / ".netrc"))),
    }
    return {name: content for name, content in found.items() if content}


def _of_pip(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    files = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    files += [home / "Library/Application Support/pip/pip.conf"]
    files += [Path(environ["PIP_CONFIG_FILE"])] if "PIP_CONFIG_FILE" in environ else []
    read = configparser.RawConfigParser(strict=False)
    for file in files:
        try:
            read.read_string(_text(file), str(file))
        except configparser.Error:
            continue  # pip itself says what is wrong with it
    found = {}
    for section in ("global", "install"):
        for key in ("index-url", "extra-index-url", "trusted-host"):
            if read.has_option(section, key):
                found[f"PIP_{key.upper().replace('-', '_')}"] = " ".join(read.get(section, key).split())
    return found


def _of_uv(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    said = environ.get("UV_CONFIG_FILE")
    files = [Path(said)] if said else [Path("/etc/uv/uv.toml"), home / ".config/uv/uv.toml"]
    found: dict[str, str] = {}
    for file in files:
        try:
            read = tomllib.loads(_text(file))
        except ValueError:
            continue  # uv itself says what is wrong with it
        found |= _of_uv_file(read)
    return found


def _of_uv_file(read: Mapping[str, Any]) -> dict[str, str]:
    indexes = [index for index in read.get("index", []) if isinstance(index, dict) and "url" in index]
    first = next((index["url"] for index in indexes if index.get("default")), read.get("index-url"))
    others = [f"{i['name']}={i['url']}" if "name" in i else i["url"] for i in indexes if not i.get("default")]
    others += read.get("extra-index-url", [])
    return {
        name: value for name, value in (("UV_DEFAULT_INDEX", first), ("UV_INDEX", " ".join(others))) if value
    }


def _for_uv(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables, and those of pip also as uv has them, where it is not told itself."""
    found = dict(variables)
    for own, others, of_pip in (
        ("UV_DEFAULT_INDEX", ("UV_INDEX_URL",), "PIP_INDEX_URL"),
        ("UV_INDEX", ("UV_EXTRA_INDEX_URL",), "PIP_EXTRA_INDEX_URL"),
        ("UV_INSECURE_HOST", (), "PIP_TRUSTED_HOST"),
    ):
        if of_pip in found and not {own, *others} & found.keys():
            found[own] = found[of_pip]
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8") if os.access(file, os.R_OK) else ""
    except (OSError, ValueError):
        return ""
