"""A proxy that steps ask hosts by, as in a case of `windlass test`: what is told each step, in a process or a container.

Runs that a run triggers find it in their environment, and tell their own steps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Self

from msgspec import Struct
from msgspec.structs import asdict, replace

from windlass.plan.unit import Mount, Unit

__all__ = ["StepProxy"]

_VARIABLE = "WINDLASS_STEP_PROXY"
_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
_TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT")
_NOT_BY_PROXY = ("localhost", "127.0.0.1", "::1")
_ADDRESSES = ("WINDLASS_CONN_", "WINDLASS_SERVICES")
_HOST_OF_URL = re.compile(r"://(?:[^/@\s\"]*@)?([^/:?#\s\"]+)")


class StepProxy(Struct, frozen=True):
    """Where it is, as this machine reaches it, and what has to be trusted to ask hosts of https by it."""

    url: str
    trusted: str | None = None
    """A file of certificates; none where no host of https is asked."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self | None:
        """The one that the environment names."""
        said = environment.get(_VARIABLE)
        return cls(**json.loads(said)) if said else None

    @property
    def environment(self) -> dict[str, str]:
        """What names it for triggered runs."""
        return {_VARIABLE: json.dumps(asdict(self))}

    def told(self, unit: Unit, seen: str, given: Mapping[str, str]) -> Unit:
        """The unit of a step, its container whole, told of the proxy as it is `seen` from there. What the run gives it has
        addresses of servers, which it asks itself.
        """
        own = {
            host
            for name, text in given.items()
            if name.startswith(_ADDRESSES)
            for host in _HOST_OF_URL.findall(text)
        }
        direct = ",".join([*_NOT_BY_PROXY, *sorted(own - set(_NOT_BY_PROXY))])
        env = dict.fromkeys(_PROXIES, seen) | {"no_proxy": direct, "NO_PROXY": direct}
        env["NODE_USE_ENV_PROXY"] = "1"  # else Node's fetch takes no notice of the others
        if self.trusted is None:
            return replace(unit, env={**unit.env, **env})
        trust = dict.fromkeys(_TRUST, self.trusted)
        mount = Mount(source=self.trusted, target=self.trusted, read_only=True)
        container = replace(unit.container, mounts=(*(unit.container.mounts or ()), mount))
        return replace(unit, env={**unit.env, **env, **trust}, container=container)
