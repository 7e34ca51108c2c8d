"""Ray Serve as thin shells around plain code: classifier replicas hold models, inspector replicas lease jobs."""
