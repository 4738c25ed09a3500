"""The binary COPY format: what stands around rows, and rows to and from Arrow."""
