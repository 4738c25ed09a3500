"""S3, and whatever speaks its protocol: MinIO, Cloudflare R2, Ceph, Google's XML interface."""
