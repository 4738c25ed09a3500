"""One pipeline file; any language inside, any scheduler outside."""

__all__ = ["__version__"]

__version__ = "0.1.0"
