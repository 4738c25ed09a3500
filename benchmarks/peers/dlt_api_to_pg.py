"""dlt's declarative `rest_api`, loaded as CSV."""

import os
import sys
import tempfile
from typing import Any

import dlt
from dlt.destinations import postgres
from dlt.sources.rest_api import rest_api_source

api, y, target = sys.argv[1:]
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
pages = {"type": "page_number", "base_page": 1, "total_path": None, "stop_after_empty_page": True}
orders: Any = {
    "name": target,
    "endpoint": {"path": "orders", "data_selector": "data", "paginator": pages},
}
with tempfile.TemporaryDirectory() as folder:
    pipeline = dlt.pipeline(
        "bench", pipelines_dir=folder, destination=postgres(y.replace("@", ":unused@")), dataset_name="public"
    )
    # dlt wants a password; the server takes any
    source = rest_api_source({"client": {"base_url": api}, "resources": [orders]})
    pipeline.run(source, write_disposition="replace", loader_file_format="csv")
