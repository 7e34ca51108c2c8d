"""Pages for people, on the same app as the API: rendered here, stateless, every view a URL, usable without scripts."""
