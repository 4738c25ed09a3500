"""What is exported to Kubernetes, on a real cluster whose node is this machine."""
