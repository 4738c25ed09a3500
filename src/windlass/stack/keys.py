"""The secrets of the stack: made once, kept with mode 600, masked in every log of ours."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from windlass import logs
from windlass.errors import FatalError
from windlass.files import write_whole

__all__ = ["Keys"]


def _token() -> str:
    return secrets.token_urlsafe(32)


def _fernet_key() -> str:
    """32 random bytes: https://github.com/fernet/spec"""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


@dataclass(frozen=True)
class Keys:
    """What encrypts Airflow's connections, signs its tokens, and lets somebody in."""

    fernet_key: str = field(default_factory=_fernet_key, repr=False)
    jwt_secret: str = field(default_factory=_token, repr=False)
    api_secret_key: str = field(default_factory=_token, repr=False)
    admin_password: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)

    @classmethod
    def kept_in(cls, file: Path) -> tuple[Keys, bool]:
        """The keys of the file, and whether they have just been made. Raises FatalError for a file that
        cannot be read: new keys could not open what the old ones have closed.
        """
        new = not file.exists()
        if new:
            write_whole(file, json.dumps(asdict(cls()), indent=2), private=True)
        try:
            keys = cls(**json.loads(file.read_bytes()))
        except (ValueError, TypeError) as exc:
            hint = f"put it back, or start anew without {file.parent}"
            raise FatalError(f"the keys in {file} cannot be read", hint=hint) from exc
        file.chmod(0o600)
        for secret in asdict(keys).values():
            logs.add_secret(secret)
        return keys, new
