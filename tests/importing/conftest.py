"""What these tests share with those of connectors: an API that says what a test wants."""

from tests.connectors.apis import make_api

__all__ = ["make_api"]
