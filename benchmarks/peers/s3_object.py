"""What somebody writes by hand: an object to stdout (`get`), or stdin to an object (`put`), by boto's own client.

`count` prints how many rows a CSV object has.
"""

import shutil
import sys

import botocore.session

what, bucket, key = sys.argv[1:]
client = botocore.session.Session().create_client("s3")
if what == "get":
    shutil.copyfileobj(client.get_object(Bucket=bucket, Key=key)["Body"], sys.stdout.buffer, 1 << 20)
elif what == "count":
    lines = client.get_object(Bucket=bucket, Key=key)["Body"].iter_lines(1 << 20)
    sys.stdout.write(f"{sum(1 for _ in lines) - 1}\n")
else:
    part = 8 << 20
    parts: list[dict[str, object]] = []
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    where = {"Bucket": bucket, "Key": key, "UploadId": upload}
    while piece := sys.stdin.buffer.read(part):
        made = client.upload_part(**where, PartNumber=len(parts) + 1, Body=piece)
        parts.append({"ETag": made["ETag"], "PartNumber": len(parts) + 1})
    client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
