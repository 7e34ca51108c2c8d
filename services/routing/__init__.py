"""Which bundle judges which capture: rules, canaries, shadows, and when a canary is taken back."""
