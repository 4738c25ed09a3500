"""The digests of bases: asked of their registries once, kept in windlass.lock, and asked again when somebody wants to."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from windlass import logs
from windlass.errors import FatalError, RetryableError
from windlass.runtimes.docker.engine import Engine, telling

__all__ = ["digest_in_registry", "pinned"]

_AT_ONCE = 8


def pinned(
    engine: Engine | None, bases: Collection[str], known: Mapping[str, str], *, refresh: bool
) -> dict[str, str]:
    """The digests of bases: those that are known, and of others what their registries say; all anew with `refresh`.

    One that cannot be asked for stays without a digest, and is told: it is then whatever its tag means where it is built.
    """
    wanted = [base for base in sorted(bases) if "@" not in base and (refresh or base not in known)]
    if engine is None or not wanted:
        return dict(known)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = dict(zip(wanted, threads.map(lambda base: _digest(engine, base), wanted), strict=True))
    return {**known, **{base: digest for base, digest in found.items() if digest is not None}}


def digest_in_registry(engine: Engine, reference: str) -> str | None:
    """The digest that a registry has of an image; None where it has none, or does not say."""
    from docker.errors import APIError

    with telling(f"look for {reference} in its registry"):
        try:
            return str(engine.client.inspect_distribution(reference)["Descriptor"]["digest"])
        except APIError:
            return None


def _digest(engine: Engine, base: str) -> str | None:
    if _is_only_here(engine, base):
        return None
    try:
        found = digest_in_registry(engine, base)
    except (FatalError, RetryableError):
        found = None
    if found is None:
        logs.warning("base_without_digest", image=base)
    return found


def _is_only_here(engine: Engine, base: str) -> bool:
    """Whether the engine has it without having it from its registry: it was made here."""
    from docker.errors import ImageNotFound

    with telling(f"look for the image {base}"):
        try:
            image = engine.client.inspect_image(base)
        except ImageNotFound:
            return False
    repository = base.removeprefix("docker.io/").removeprefix("library/").partition("@")[0]
    repository = re.sub(r":[^:/]+$", "", repository)
    return not any(digest.startswith(f"{repository}@") for digest in image.get("RepoDigests") or ())
