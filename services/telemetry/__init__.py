"""What the service says about itself: metrics for machines, logs for people."""
