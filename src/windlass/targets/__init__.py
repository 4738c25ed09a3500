"""What a pipeline is exported to. A target renders text from plans and never imports an orchestrator."""
