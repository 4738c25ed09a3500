"""Whether a certificate is that of the host which was asked for, as RFC 9525 has it; the address of a machine counts, too.

In the place of what python-tds 1.17 does: that asks pyOpenSSL for what it has no more (`X509.get_extension`).
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

__all__ = ["is_of_host", "look_at_hosts"]


def look_at_hosts() -> None:
    """Have the driver ask us."""
    import pytds.tls

    pytds.tls.validate_host = is_of_host


def is_of_host(cert: Any, name: bytes) -> bool:
    """Whether the certificate, of pyOpenSSL, is of the host."""
    from cryptography import x509

    wanted, known = name.decode("ascii").lower().rstrip("."), cert.to_cryptography()
    try:
        names = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = known.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return any(str(each.value).lower() == wanted for each in common)
    try:
        return ip_address(wanted) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        return any(_matches(each.lower(), wanted) for each in names.get_values_for_type(x509.DNSName))


def _matches(pattern: str, host: str) -> bool:
    """`*` stands for one part of a name, the first."""
    return pattern == host or (pattern.startswith("*.") and pattern[2:] == host.partition(".")[2])
