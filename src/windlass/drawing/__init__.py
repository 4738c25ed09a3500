"""Pictures of a plan: text for a terminal, Mermaid for documents, SVG for everything else."""
