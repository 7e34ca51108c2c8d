"""What things are: the domain (`models.domain`) and the learned model."""
