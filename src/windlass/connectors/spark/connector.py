"""What windlass knows of Spark without connecting to one."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="spark",
    form="server",
    schemes=("sc", "spark", "sparkconnect"),  # the last two are Airflow's words
    open_options=("use_ssl", "user_id", "user_agent", "grpc_max_message_size"),
    example="sc://spark.example.com:15002",
    extra="spark",
    packages=("pyspark-client",),
    sql="windlass.connectors.spark.database:SparkDatabase",
    engine="windlass.connectors.spark.workers:open_workers",
    dev_service="windlass.connectors.spark.dev_service:start",
    port=15002,
    options="windlass.connectors.spark.options",
)
