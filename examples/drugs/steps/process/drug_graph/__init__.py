"""From the imported tables to a graph of which drug is mentioned where.

    tables      Parquet to rows of text, each with its place
    cleaning    what a text says under its dirt, and what a date means
    records     rows to records: cleaned, merged, each with an id
    mentions    records to nodes and links
    journals    which of them mention the most drugs
    picture     the graph as one HTML page

Whatever is changed, merged or left out on the way is noted as a decision.
"""
