"""What windlass knows of mongodb without its driver."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="mongodb",
    form="server",
    schemes=("mongodb", "mongo"),  # and mongodb+srv; the second one is Airflow's
    several_hosts=True,
    port=27017,
    open_options=(
        # https://www.mongodb.com/docs/manual/reference/connection-string-options/, without passwords and tokens
        *("appName", "authMechanism", "authSource", "compressors", "connectTimeoutMS", "directConnection"),
        *(
            "heartbeatFrequencyMS",
            "journal",
            "loadBalanced",
            "localThresholdMS",
            "maxIdleTimeMS",
            "maxPoolSize",
        ),
        *("maxStalenessSeconds", "minPoolSize", "readConcernLevel", "readPreference", "readPreferenceTags"),
        *("replicaSet", "retryReads", "retryWrites", "serverMonitoringMode", "serverSelectionTimeoutMS"),
        *(
            "serverSelectionTryOnce",
            "socketTimeoutMS",
            "srvMaxHosts",
            "srvServiceName",
            "ssl",
            "timeoutMS",
            "tls",
        ),
        *("tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames", "tlsCAFile", "tlsCertificateKeyFile"),
        *(
            "tlsInsecure",
            "uuidRepresentation",
            "w",
            "waitQueueTimeoutMS",
            "wtimeoutMS",
            "zlibCompressionLevel",
        ),
    ),
    example="mongodb://user:password@host:27017/database",
    extra="mongodb",
    packages=("pymongo", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.mongodb.opening:open_source",
    destination="windlass.connectors.mongodb.opening:open_destination",
    dev_service="windlass.connectors.mongodb.dev_service:start",
    fresh="windlass.connectors.mongodb.fresh:fresh",
    rows_in="collection",
    options="windlass.connectors.mongodb.options",
)
