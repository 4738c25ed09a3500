"""What others say of an API, as a project of ours: connections, and a pipeline with a copy for each list of records.

reading.py    one document, of either kind     imported.py   what comes of it
openapi.py    an OpenAPI 3 document            airbyte.py    a low-code manifest of Airbyte, with
documents.py  references within a document     authenticators.py, paginators.py, templates.py
writing.py    the files of a project           names.py      names that windlass takes
"""
