"""A certificate authority of this process, for hosts that recordings answer for. Nobody trusts it who is not told to."""

from __future__ import annotations

import datetime
import ssl
import tempfile
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from windlass.errors import extra
from windlass.files import write_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, GeneralName

__all__ = ["Authority"]

_DAY = datetime.timedelta(days=1)
_LIFE = 30 * _DAY
_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Authority:
    """Vouches for hosts. Its key is nowhere but in this process."""

    def __init__(self) -> None:
        """Raises MissingExtraError."""
        with extra("answering for an https host", "recordings"):
            from cryptography import x509
            from cryptography.hazmat.primitives.asymmetric import ec
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "recordings of windlass")])
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = self._builder(name, name, self._key).add_extension(self._identifier, critical=False)
        self._certificate = self._signed(builder, is_authority=True)

    @property
    def certificate(self) -> bytes:
        """What has to be trusted, as PEM."""
        return _pem(self._certificate)

    def context(self, host: str) -> ssl.SSLContext:
        """What a server needs to be that host."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier)
        builder = self._builder(x509.Name([]), self._certificate.subject, key)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=True)
        builder = builder.add_extension(issuer, critical=False)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory(prefix="windlass-key-") as folder:  # `ssl` reads files only
            file = Path(folder) / "host.pem"
            write_file(file, secret + _pem(self._signed(builder, is_authority=False)))
            context.load_cert_chain(file)
        return context

    def _builder(self, subject: object, issuer: object, key: EllipticCurvePrivateKey) -> CertificateBuilder:
        from cryptography import x509

        assert isinstance(subject, x509.Name)
        assert isinstance(issuer, x509.Name)
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - _DAY).not_valid_after(now + _LIFE)

    def _signed(self, builder: CertificateBuilder, *, is_authority: bool) -> Certificate:
        """The certificate, with what strict readers want to know (RFC 5280): what its key may be used for."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        uses = ("key_cert_sign",) if is_authority else ("digital_signature",)
        usage = x509.KeyUsage(**{use: use in uses for use in _USES})
        constraints = x509.BasicConstraints(ca=is_authority, path_length=None)
        builder = builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)
        return builder.sign(self._key, hashes.SHA256())


def _general_name(host: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)
